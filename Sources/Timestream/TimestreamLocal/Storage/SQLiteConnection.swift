import CSQLite
import Synchronization

/// What SQLite said; for logs, never for a caller.
struct SQLiteError: Error, Sendable, CustomStringConvertible {
    /// The extended result code.
    var code: Int32
    var message: String

    var description: String { "SQLite \(self.code): \(self.message)" }

    /// The statement was stopped by its `RunControl`.
    var isInterrupt: Bool { self.code & 0xFF == SQLITE_INTERRUPT }
    /// The statement itself failed: a function of ours refused a value, a sum overflowed, or its text is too long.
    var isStatementFailure: Bool { [SQLITE_ERROR, SQLITE_TOOBIG].contains(self.code & 0xFF) }
}

/// Stops a running statement from another thread, or at a deadline.
final class RunControl: Sendable {
    private let isCancelled = Atomic<Bool>(false)
    private let deadlineNanoseconds = Atomic<Int64>(.max)

    func cancel() {
        self.isCancelled.store(true, ordering: .relaxed)
    }

    /// Allows the statements of this control to run until then, on the clock of `MonotonicTime`.
    func allow(untilNanoseconds deadline: Int64) {
        self.deadlineNanoseconds.store(deadline, ordering: .relaxed)
    }

    var isOver: Bool {
        self.isCancelled.load(ordering: .relaxed)
            || MonotonicTime.nanoseconds() >= self.deadlineNanoseconds.load(ordering: .relaxed)
    }

    var wasCancelled: Bool { self.isCancelled.load(ordering: .relaxed) }
}

/// One connection to the database file.
@safe final class SQLiteConnection: @unchecked Sendable {
    // Safe because: whoever has taken the connection out of its pool, or made it, is the only one that uses it, one
    // thread at a time; SQLite itself is opened without its mutexes.
    fileprivate let handle: OpaquePointer
    /// What may stop the running statement; replaced before each run. The progress handler reads it.
    private var control: RunControl?

    enum Access { case readWrite, readOnly }

    init(path: String, access: Access) throws(SQLiteError) {
        var opened: OpaquePointer?
        let flags =
            SQLITE_OPEN_NOMUTEX
            | (access == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY)
        let status = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard let handle = unsafe opened else {
            throw SQLiteError(code: status, message: "no memory for a connection")
        }
        guard status == SQLITE_OK else {
            let message = unsafe String(cString: sqlite3_errmsg(handle))
            unsafe sqlite3_close_v2(handle)
            throw SQLiteError(code: status, message: "\(path): \(message)")
        }
        unsafe self.handle = handle
        unsafe sqlite3_extended_result_codes(handle, 1)
        // A reader meets a lock only while the log is being recovered or truncated.
        unsafe sqlite3_busy_timeout(handle, 5000)
    }

    deinit {
        unsafe sqlite3_close_v2(self.handle)
    }

    /// Runs statements that give no rows.
    func execute(_ sql: String) throws(SQLiteError) {
        let status = unsafe sqlite3_exec(self.handle, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw self.error(status) }
    }

    func prepare(_ sql: String, isPersistent: Bool = false) throws(SQLiteError) -> SQLiteStatement {
        try SQLiteStatement(sql, on: self, isPersistent: isPersistent)
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed.
    var changes: Int { Int(unsafe sqlite3_changes(self.handle)) }

    var lastInsertedRow: Int64 { unsafe sqlite3_last_insert_rowid(self.handle) }

    /// Whether a transaction is open.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(self.handle) == 0 }

    /// Sets what may stop the statements that run from now on.
    func setControl(_ control: RunControl?) {
        self.control = control
        guard let control else {
            unsafe sqlite3_progress_handler(self.handle, 0, nil, nil)
            return
        }
        // Unretained: `self.control` keeps the object for as long as the handler is set.
        let context = unsafe Unmanaged.passUnretained(control).toOpaque()
        unsafe sqlite3_progress_handler(
            self.handle,
            // Steps of SQLite's machine: few, since one of them may be a long comparison.
            250,
            { context in
                guard let context = unsafe context else { return 0 }
                let control = unsafe Unmanaged<RunControl>.fromOpaque(context).takeUnretainedValue()
                return control.isOver ? 1 : 0
            },
            context
        )
    }

    func error(_ status: Int32) -> SQLiteError {
        SQLiteError(code: status, message: unsafe String(cString: sqlite3_errmsg(self.handle)))
    }

    /// Lends the handle, to register functions.
    func withHandle(_ body: (OpaquePointer) -> Int32) throws(SQLiteError) {
        let status = unsafe body(self.handle)
        guard status == SQLITE_OK else { throw self.error(status) }
    }
}

/// A prepared statement.
@safe final class SQLiteStatement {
    private let statement: OpaquePointer
    /// Keeps the connection open.
    private let connection: SQLiteConnection

    fileprivate init(_ sql: String, on connection: SQLiteConnection, isPersistent: Bool) throws(SQLiteError) {
        var prepared: OpaquePointer?
        let flags = isPersistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        let status = unsafe sqlite3_prepare_v3(connection.handle, sql, -1, flags, &prepared, nil)
        guard status == SQLITE_OK, let statement = unsafe prepared else { throw connection.error(status) }
        unsafe self.statement = statement
        self.connection = connection
    }

    deinit {
        unsafe sqlite3_finalize(self.statement)
    }

    /// Advances to the next row; `false` at the end.
    func step() throws(SQLiteError) -> Bool {
        switch unsafe sqlite3_step(self.statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let status: throw self.connection.error(status)
        }
    }

    /// Runs a statement that gives no rows, and makes it ready for the next time.
    func run() throws(SQLiteError) {
        defer { self.reset() }
        _ = try self.step()
    }

    /// Ready to run again; bindings stay.
    func reset() {
        unsafe sqlite3_reset(self.statement)
    }

    // MARK: Parameters, counted from 1

    func bind(_ index: Int32, _ value: Int64) {
        unsafe sqlite3_bind_int64(self.statement, index, value)
    }

    func bind(_ index: Int32, _ value: Int) {
        unsafe sqlite3_bind_int64(self.statement, index, Int64(value))
    }

    func bind(_ index: Int32, _ value: Double) {
        unsafe sqlite3_bind_double(self.statement, index, value)
    }

    func bindNull(_ index: Int32) {
        unsafe sqlite3_bind_null(self.statement, index)
    }

    /// Binds a BLOB.
    func bind(_ index: Int32, _ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes {
            _ = unsafe csqlite_bind_blob(self.statement, index, $0.baseAddress, Int32($0.count))
        }
    }

    func bind(_ index: Int32, _ bytes: [UInt8]) {
        self.bind(index, bytes[...])
    }

    /// Binds a TEXT: for the catalogue's own names, which are ASCII.
    func bind(_ index: Int32, text: String?) {
        guard var text else { return self.bindNull(index) }
        text.withUTF8 {
            unsafe $0.withMemoryRebound(to: CChar.self) {
                _ = unsafe csqlite_bind_text(self.statement, index, $0.baseAddress, Int32($0.count))
            }
        }
    }

    /// Binds an object, which only functions that know its type can see; kept until the statement ends.
    ///
    /// - Parameter type: the same text at each use.
    func bind(_ index: Int32, _ object: some AnyObject, _ type: StaticString) {
        let retained = unsafe Unmanaged.passRetained(object as AnyObject).toOpaque()
        unsafe type.utf8Start.withMemoryRebound(to: CChar.self, capacity: type.utf8CodeUnitCount + 1) { name in
            // The object is released even if it cannot be bound.
            _ = unsafe sqlite3_bind_pointer(self.statement, index, retained, name) { object in
                guard let object = unsafe object else { return }
                unsafe Unmanaged<AnyObject>.fromOpaque(object).release()
            }
        }
    }

    // MARK: Columns of the current row, counted from 0

    func isNull(_ column: Int32) -> Bool {
        unsafe sqlite3_column_type(self.statement, column) == SQLITE_NULL
    }

    func integer(_ column: Int32) -> Int64 {
        unsafe sqlite3_column_int64(self.statement, column)
    }

    /// A BLOB or TEXT, valid until the next step.
    func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = unsafe sqlite3_column_blob(self.statement, column)
        let count = Int(unsafe sqlite3_column_bytes(self.statement, column))
        return unsafe body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    func bytes(_ column: Int32) -> [UInt8] {
        unsafe self.withBytes(column) { unsafe Array($0) }
    }

    func text(_ column: Int32) -> String? {
        self.isNull(column) ? nil : String(decoding: self.bytes(column), as: UTF8.self)
    }
}
