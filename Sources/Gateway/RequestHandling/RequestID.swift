/// The name of one request in its answer and in the log: 16 hexadecimal digits, at random.
enum RequestID {
    static func make() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
