extension TestHistogram {
    /// The same histogram as somebody could send it who keeps no rules but those of protobuf: fields in any order, lists
    /// in pieces, packed or not, scalars given twice, varints too long, unknown fields in between.
    func messyMessage(_ random: inout some RandomNumberGenerator) -> [UInt8] {
        let listNumbers: Set = [8, 9, 10, 11, 12, 13, 16]
        var scalars = self.fields.filter { !listNumbers.contains($0.number) }.map(\.bytes)
        scalars.append(Wire.field(18, Array("from the future".utf8)))
        scalars.append(Wire.field(1000, varint: 5))
        // A group, with a field inside.
        scalars.append(Wire.varint(40 << 3 | 3) + Wire.field(3, bits: 1) + Wire.varint(40 << 3 | 4))
        scalars.shuffle(using: &random)

        var lists: [[[UInt8]]] = []
        for (side, first) in [(self.negative, 8), (self.positive, 11)] {
            lists.append(
                side.spans.map { span in
                    Wire.field(
                        first,
                        Wire.field(2, varint: 99) + Wire.field(9, Array("unknown".utf8))
                            + Wire.field(1, varint: Wire.zigzag(Int64(span.offset)))
                            + Wire.field(2, varint: UInt64(span.length))
                    )
                }
            )
            lists.append(
                Self.pieces(side.deltas, &random) { values, isPacked in
                    isPacked
                        ? Wire.field(first + 1, values.flatMap { Wire.longVarint(Wire.zigzag($0)) })
                        : values.flatMap { Wire.field(first + 1, varint: Wire.zigzag($0)) }
                }
            )
            lists.append(Self.doublePieces(first + 2, side.counts, &random))
        }
        lists.append(Self.doublePieces(16, self.bounds, &random))

        // First what does not count, because the fields are given again; of a `oneof`, the last member counts.
        var output: [UInt8] = []
        if self.count != nil { output += Wire.field(1, varint: 7) + Wire.field(2, bits: 7) + Wire.field(1, varint: 3) }
        if self.zeroCount != nil { output += Wire.field(6, varint: 8) + Wire.field(7, bits: 8) }
        if self.sum != 0 { output += Wire.field(3, bits: 1) }
        if self.schema != 0 { output += Wire.field(4, varint: 2) }
        while true {
            let open = lists.indices.filter { !lists[$0].isEmpty }
            if let list = open.randomElement(using: &random), scalars.isEmpty || Bool.random(using: &random) {
                output += lists[list].removeFirst()
            } else if !scalars.isEmpty {
                output += scalars.removeLast()
            } else {
                return output
            }
        }
    }

    private static func doublePieces(
        _ number: Int,
        _ values: [UInt64],
        _ random: inout some RandomNumberGenerator
    ) -> [[UInt8]] {
        self.pieces(values, &random) { values, isPacked in
            isPacked
                ? Wire.field(number, values.flatMap(Wire.double)) : values.flatMap { Wire.field(number, bits: $0) }
        }
    }

    private static func pieces<Value>(
        _ values: [Value],
        _ random: inout some RandomNumberGenerator,
        _ encode: ([Value], Bool) -> [UInt8]
    ) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = values[...]
        while !rest.isEmpty {
            let count = Int.random(in: 0...min(rest.count, 5), using: &random)
            pieces.append(encode(Array(rest.prefix(count)), Bool.random(using: &random)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
