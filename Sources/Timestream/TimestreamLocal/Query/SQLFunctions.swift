import CSQLite

/// Makes the functions of `SQLScalar` known to a connection.
enum SQLFunctions {
    static func register(on connection: SQLiteConnection) throws(SQLiteError) {
        for (number, function) in SQLScalar.allCases.enumerated() {
            try unsafe connection.withHandle { handle in
                unsafe sqlite3_create_function_v2(
                    handle,
                    function.rawValue,
                    function.argumentCount,
                    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                    // The user data is the function's number plus one, not an address: nothing to keep alive or to free.
                    UnsafeMutableRawPointer(bitPattern: number + 1),
                    { context, count, values in unsafe SQLFunctions.call(context, count, values) },
                    nil,
                    nil,
                    nil
                )
            }
        }
    }

    private static let functions = SQLScalar.allCases

    private static func call(
        _ context: OpaquePointer?,
        _ count: Int32,
        _ values: UnsafeMutablePointer<OpaquePointer?>?
    ) {
        let number = Int(bitPattern: unsafe sqlite3_user_data(context)) - 1
        var arguments: [SQLValue] = []
        arguments.reserveCapacity(Int(count))
        for index in 0..<Int(count) {
            guard let value = unsafe values?[index] else { return }
            switch unsafe sqlite3_value_type(value) {
            case SQLITE_INTEGER: arguments.append(.integer(unsafe sqlite3_value_int64(value)))
            case SQLITE_FLOAT: arguments.append(.double(unsafe sqlite3_value_double(value)))
            case SQLITE_NULL:
                guard let pattern = unsafe Self.pattern(value) else {
                    unsafe sqlite3_result_null(context)
                    return
                }
                arguments.append(.pattern(pattern))
            default:
                let start = unsafe sqlite3_value_blob(value)
                let length = Int(unsafe sqlite3_value_bytes(value))
                arguments.append(
                    .bytes(unsafe Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : length)))
                )
            }
        }
        do throws(SQLRunError) {
            switch try Self.functions[number].evaluate(arguments) {
            case .null: unsafe sqlite3_result_null(context)
            case .integer(let value): unsafe sqlite3_result_int64(context, value)
            case .double(let value): unsafe sqlite3_result_double(context, value)
            case .bytes(let bytes):
                unsafe bytes.withUnsafeBytes {
                    unsafe csqlite_result_blob(context, $0.baseAddress, Int32($0.count))
                }
            case .pattern: unsafe sqlite3_result_error(context, "internal error: a pattern is no value", -1)
            }
        } catch {
            unsafe sqlite3_result_error(context, error.message, -1)
        }
    }

    /// The pattern that was bound as an argument; to SQLite it looks like NULL.
    private static func pattern(_ value: OpaquePointer) -> SQLSearchPattern? {
        let type = SQLSearchPattern.pointerType
        let found = unsafe type.utf8Start.withMemoryRebound(to: CChar.self, capacity: type.utf8CodeUnitCount + 1) {
            unsafe sqlite3_value_pointer(value, $0)
        }
        guard let found = unsafe found else { return nil }
        return unsafe Unmanaged<AnyObject>.fromOpaque(found).takeUnretainedValue() as? SQLSearchPattern
    }
}
