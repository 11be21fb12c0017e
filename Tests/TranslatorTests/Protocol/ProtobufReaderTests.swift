import Testing

@testable import Translator

@Suite("The protobuf walk")
struct ProtobufReaderTests {
    /// The numbers of all fields of a message, each value skipped.
    private func fields(_ message: [UInt8]) throws(ProtocolError) -> [Int] {
        var numbers: [Int] = []
        var reader = ProtobufReader(message.span.bytes)
        while let field = try reader.nextField() {
            numbers.append(field.number)
            try reader.skip(field)
        }
        return numbers
    }

    private func fault(_ message: [UInt8]) -> ProtocolError.Fault? {
        do throws(ProtocolError) {
            _ = try self.fields(message)
            return nil
        } catch {
            guard case .malformedProtobuf(_, let fault) = error else { return nil }
            return fault
        }
    }

    private func varint(_ bytes: [UInt8]) throws(ProtocolError) -> UInt64 {
        var reader = ProtobufReader(bytes.span.bytes)
        return try reader.varint()
    }

    @Test(
        "varints of every length",
        arguments: [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 32, 1 << 63, .max - 1, .max] as [UInt64]
    )
    func varints(value: UInt64) throws {
        var builder = ProtobufBuilder()
        builder.varint(value)
        #expect(try self.varint(builder.bytes) == value)
        for count in 0..<builder.bytes.count {
            #expect(throws: ProtocolError.malformedProtobuf(offset: 0, .truncated)) {
                try self.varint(Array(builder.bytes.prefix(count)))
            }
        }
    }

    @Test("varints with needless bytes are read, those of more than 64 bits are not")
    func oddVarints() throws {
        #expect(try self.varint([0x81, 0x80, 0x00]) == 1)
        #expect(try self.varint([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]) == 1 << 63)
        for last: UInt8 in [0x02, 0x7F, 0x80, 0xFF] {
            let bytes = [UInt8](repeating: 0xFF, count: 9) + [last, 0x00]
            #expect(throws: ProtocolError.malformedProtobuf(offset: 0, .varint)) { try self.varint(bytes) }
        }
    }

    @Test("every wire type is skipped, groups in groups too")
    func skipping() throws {
        let message: [UInt8] = [
            0x08, 0x96, 0x01,  // 1: varint
            0x11, 1, 2, 3, 4, 5, 6, 7, 8,  // 2: 64 bits
            0x1A, 0x02, 0xFF, 0xFF,  // 3: two bytes
            0x23, 0x08, 0x01, 0x2B, 0x2C, 0x1A, 0x01, 0x24, 0x24,  // 4: a group with a varint, a group and a string
            0x35, 1, 2, 3, 4,  // 6: 32 bits
            0x82, 0x01, 0x00,  // 16: no bytes
        ]
        #expect(try self.fields(message) == [1, 2, 3, 4, 6, 16])
        #expect(try self.fields([]).isEmpty)
    }

    @Test("a message cut anywhere is a shorter one or truncated")
    func truncated() {
        let message: [UInt8] = [0x0D, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1A, 0x02, 0xFF, 0xFF, 0x23, 0x24]
        let ends = [0, 5, 14, 18, 20]
        for count in 0...message.count {
            #expect(self.fault(Array(message.prefix(count))) == (ends.contains(count) ? nil : .truncated))
        }
    }

    @Test("keys that do not exist, groups that do not match or nest too deep")
    func faults() {
        #expect(self.fault([0x00]) == .fieldNumber)
        #expect(self.fault([0x0E]) == .wireType)
        #expect(self.fault([0x0F]) == .wireType)
        #expect(self.fault([0x0C]) == .wireType)
        #expect(self.fault([0x0B, 0x14]) == .wireType)
        #expect(self.fault([0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]) == .fieldNumber)
        #expect(self.fault([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]) == .truncated)
        let nested = [UInt8](repeating: 0x0B, count: 32) + [UInt8](repeating: 0x0C, count: 32)
        #expect(self.fault(nested) == nil)
        #expect(self.fault([0x0B] + nested + [0x0C]) == .nesting)
        #expect(self.fault([UInt8](repeating: 0x0B, count: 1_000_000)) == .nesting)
    }

    @Test("a known field of the wrong wire type is no message")
    func wrongType() throws {
        let bytes: [UInt8] = [0x08, 0x01]
        var reader = ProtobufReader(bytes.span.bytes)
        let field = try #require(try reader.nextField())
        var fault: ProtocolError?
        do throws(ProtocolError) { _ = try reader.message(field) } catch { fault = error }
        #expect(fault == .malformedProtobuf(offset: 1, .fieldType))
    }
}
