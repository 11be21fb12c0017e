import Common

/// The distinct labels of one request, each looked at, checked and written out once.
///
/// A scrape repeats the same few hundred labels in thousands of series, so a series becomes a list of small numbers, and
/// writing a record becomes copying fragments.
struct LabelTable: ~Copyable {
    /// Why no series with this label can be stored.
    enum Fault: UInt8 {
        case none, emptyName, invalidUTF8, nameTooLong, valueTooLong
        /// Over a guard of the tenant's.
        case nameOverLimit, valueOverLimit
    }

    struct Label {
        /// Where the name and the value stand in the decoded body; for comparing.
        var nameStart: Int32
        var nameCount: Int32
        var valueStart: Int32
        var valueCount: Int32
        /// Which label name this is.
        var name: Int32
        /// Which of the values of that name this is, from 1 on.
        var ordinal: Int32
        /// The label's JSON in `fragments`: a dimension object; of `__name__`, the measure name as a JSON string.
        var fragmentStart: Int32
        var fragmentCount: Int32
        /// Bytes that Timestream counts for it: the dimension's name and value, or the measure's name.
        var storedBytes: Int32
        var fault: Fault
        /// Whether it has no column of its own; its JSON is a part of the overflow column's value then.
        var isOverflow = false
    }

    struct Name {
        var start: Int32
        var count: Int32
        /// How many labels have this name.
        var values: Int32 = 0
        /// Whether labels of this name go to the overflow column; not known before the first one is written out.
        var isOverflow: Bool?
    }

    /// The name `__name__` is always the first.
    static let metricName: Int32 = 0

    private(set) var labels: [Label] = []
    private(set) var names: [Name] = []
    /// JSON of all labels, one after the other.
    private(set) var fragments: [UInt8] = []

    private var labelSlots: [Int32]
    private var nameSlots: [Int32]
    /// Seeds the hashes, so that a sender cannot choose labels that collide.
    private let seed: UInt64
    private let dimensions: TableDimensions?
    private let escapesColons: Bool
    private let maximumNameBytes: Int
    private let maximumValueBytes: Int
    /// What the request adds to the table's columns.
    let lease: TableDimensions.Lease?

    /// - Parameters:
    ///   - dimensions: what is known of the table; nil if every name has a column.
    ///   - escapesColons: whether a measure's name must have none.
    ///   - guards: what labels may be, beside what Timestream demands.
    init(expectedLabels: Int, dimensions: TableDimensions?, escapesColons: Bool, guards: SeriesGuards) {
        self.maximumNameBytes = guards.maxLabelNameBytes ?? .max
        self.maximumValueBytes = guards.maxLabelValueBytes ?? .max
        self.dimensions = dimensions
        self.escapesColons = escapesColons
        self.lease = dimensions.map { TableDimensions.Lease($0) }
        var capacity = 256
        while capacity < expectedLabels * 2 { capacity *= 2 }
        self.labelSlots = Array(repeating: -1, count: capacity)
        self.nameSlots = Array(repeating: -1, count: 64)
        self.seed = UInt64.random(in: .min ... .max)
        self.labels.reserveCapacity(capacity / 2)
        self.fragments.reserveCapacity(capacity * 24)
    }

    /// What the table takes, with what arrays hold in reserve while they grow, and what sorting by name takes later.
    var memoryBytes: Int {
        // A label: 40 bytes, thrice while the array doubles, up to six slots, and 24 bytes for `RecordOrder`. A name: 12
        // bytes likewise, and four numbers of eight bytes for `RecordOrder`.
        self.labels.count * 176 + self.names.count * 128 + self.fragments.count * 3
    }

    /// The number of the label whose name and value stand at these offsets of the decoded body.
    mutating func intern(_ name: Range<Int>, _ value: Range<Int>, in bytes: RawSpan) -> Int32 {
        if Self.isTooLong(name, value, in: bytes) { return self.tooLong(name, value, in: bytes) }
        let hash = bytes.hash(value, seed: bytes.hash(name, seed: self.seed))
        var slot = Int(truncatingIfNeeded: hash) & (self.labelSlots.count - 1)
        while true {
            let candidate = self.labelSlots[slot]
            if candidate < 0 { break }
            let label = self.labels[Int(candidate)]
            if Int(label.valueCount) == value.count, Int(label.nameCount) == name.count,
                bytes.hasSameBytes(at: Int(label.valueStart), as: value),
                bytes.hasSameBytes(at: Int(label.nameStart), as: name)
            {
                return candidate
            }
            slot = (slot + 1) & (self.labelSlots.count - 1)
        }
        let number = Int32(self.labels.count)
        self.labels.append(self.makeLabel(name, value, in: bytes))
        self.labelSlots[slot] = number
        if self.labels.count * 2 > self.labelSlots.count { self.growLabels(bytes) }
        return number
    }

    /// Labels that are too long are not looked up by their bytes: of remote write 2.0 one string of megabytes can stand in a
    /// million labels. A few are kept, to tell of; from then on they share the last one of their fault.
    private static let keptTooLong = 64
    private var tooLongCount = 0
    private var lastTooLong: [Fault: Int32] = [:]

    private mutating func tooLong(_ name: Range<Int>, _ value: Range<Int>, in bytes: RawSpan) -> Int32 {
        let fault = self.lengthFault(name, value, isMetric: Self.isMetric(name, bytes))
        if self.tooLongCount >= Self.keptTooLong, let last = self.lastTooLong[fault] { return last }
        self.tooLongCount += 1
        let number = Int32(self.labels.count)
        self.labels.append(self.makeLabel(name, value, in: bytes))
        self.lastTooLong[fault] = number
        return number
    }

    private static func isTooLong(_ name: Range<Int>, _ value: Range<Int>, in bytes: RawSpan) -> Bool {
        if name.count > ColumnName.maximumDimensionNameBytes || value.count > WriteOptions.maximumLabelBytes {
            return true
        }
        return value.count > ColumnName.maximumMeasureNameBytes && Self.isMetric(name, bytes)
    }

    private static func isMetric(_ name: Range<Int>, _ bytes: RawSpan) -> Bool {
        name.count == 8 && Self.isMetricName(bytes, name)
    }

    /// Whether one name comes before another, byte by byte.
    func isName(_ name: Int32, before other: Int32, in bytes: RawSpan) -> Bool {
        let left = self.names[Int(name)]
        let right = self.names[Int(other)]
        return bytes.precedes(
            Int(left.start)..<Int(left.start + left.count),
            Int(right.start)..<Int(right.start + right.count)
        )
    }

    // MARK: New labels

    private mutating func makeLabel(_ name: Range<Int>, _ value: Range<Int>, in bytes: RawSpan) -> Label {
        // A name that is too long is told from others by its beginning.
        let nameEnd = min(name.upperBound, name.lowerBound + ColumnName.maximumDimensionNameBytes + 1)
        let nameNumber = self.internName(name.lowerBound..<nameEnd, in: bytes)
        self.names[Int(nameNumber)].values += 1
        var label = Label(
            nameStart: Int32(name.lowerBound),
            nameCount: Int32(name.count),
            valueStart: Int32(value.lowerBound),
            valueCount: Int32(value.count),
            name: nameNumber,
            ordinal: self.names[Int(nameNumber)].values,
            fragmentStart: Int32(self.fragments.count),
            fragmentCount: 0,
            storedBytes: 0,
            fault: .none
        )
        label.fault = self.appendFragment(&label, name, value, in: bytes)
        label.fragmentCount = Int32(self.fragments.count) - label.fragmentStart
        return label
    }

    /// Writes a label's JSON, unless it can never be stored: then nothing of it is copied, however long it is.
    private mutating func appendFragment(
        _ label: inout Label,
        _ name: Range<Int>,
        _ value: Range<Int>,
        in bytes: RawSpan
    ) -> Fault {
        let isMetric = label.name == Self.metricName
        let fault = self.lengthFault(name, value, isMetric: isMetric)
        guard fault == .none else { return fault }
        guard bytes.isUTF8(name), bytes.isUTF8(value) else { return .invalidUTF8 }
        // The same as no label at all; the walk leaves it out.
        if value.isEmpty { return .none }
        return unsafe bytes.extracting(name).withUnsafeBytes { nameBytes in
            unsafe bytes.extracting(value).withUnsafeBytes { valueBytes in
                unsafe nameBytes.withMemoryRebound(to: UInt8.self) { nameBytes in
                    unsafe valueBytes.withMemoryRebound(to: UInt8.self) { valueBytes in
                        if isMetric { return unsafe self.appendMeasure(valueBytes, &label) }
                        return unsafe self.appendDimension(nameBytes, valueBytes, &label)
                    }
                }
            }
        }
    }

    private func lengthFault(_ name: Range<Int>, _ value: Range<Int>, isMetric: Bool) -> Fault {
        if name.isEmpty { return .emptyName }
        // Guards first: what they find may be dropped.
        if name.count > self.maximumNameBytes, !isMetric { return .nameOverLimit }
        if value.count > self.maximumValueBytes { return .valueOverLimit }
        // Escapes only make names longer.
        if name.count > ColumnName.maximumDimensionNameBytes { return .nameTooLong }
        if isMetric, value.count > ColumnName.maximumMeasureNameBytes { return .nameTooLong }
        return value.count > WriteOptions.maximumLabelBytes ? .valueTooLong : .none
    }

    private mutating func appendMeasure(_ metric: UnsafeBufferPointer<UInt8>, _ label: inout Label) -> Fault {
        if unsafe ColumnName.isPlainMeasure(metric, escapesColons: self.escapesColons) {
            unsafe JSONText.append(metric, to: &self.fragments)
            label.storedBytes = Int32(metric.count)
            return .none
        }
        let measure = ColumnName.measure(forMetric: unsafe Array(metric), escapesColons: self.escapesColons)
        guard measure.count <= ColumnName.maximumMeasureNameBytes else { return .nameTooLong }
        JSONText.append(measure, to: &self.fragments)
        label.storedBytes = Int32(measure.count)
        return .none
    }

    private mutating func appendDimension(
        _ name: UnsafeBufferPointer<UInt8>,
        _ value: UnsafeBufferPointer<UInt8>,
        _ label: inout Label
    ) -> Fault {
        let isPlain = unsafe ColumnName.isPlainDimension(name)
        let escaped = isPlain ? [] : ColumnName.dimension(forLabel: unsafe Array(name))
        guard escaped.count <= ColumnName.maximumDimensionNameBytes else { return .nameTooLong }
        if unsafe self.isOverflow(Int(label.name), name) {
            label.isOverflow = true
            let stored = OverflowText.append(unsafe Array(name), unsafe Array(value), to: &self.fragments)
            label.storedBytes = Int32(stored + 1)
            return .none
        }
        self.fragments.append(contentsOf: Self.dimensionStart)
        if isPlain {
            unsafe JSONText.append(name, to: &self.fragments)
        } else {
            JSONText.append(escaped, to: &self.fragments)
        }
        self.fragments.append(contentsOf: Self.dimensionMiddle)
        unsafe JSONText.append(value, to: &self.fragments)
        self.fragments.append(UInt8(ascii: "}"))
        label.storedBytes = Int32((isPlain ? name.count : escaped.count) + value.count)
        return .none
    }

    private mutating func isOverflow(_ number: Int, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let dimensions = self.dimensions, let lease = self.lease else { return false }
        if let known = self.names[number].isOverflow { return known }
        let column = ColumnName.dimension(forLabel: unsafe Array(name))
        let isOverflow = dimensions.place(of: column, lease) == .overflow
        self.names[number].isOverflow = isOverflow
        return isOverflow
    }

    private static let dimensionStart = Array(#"{"Name":"#.utf8)
    private static let dimensionMiddle = Array(#","Value":"#.utf8)

    private mutating func internName(_ range: Range<Int>, in bytes: RawSpan) -> Int32 {
        if self.names.isEmpty {
            // `__name__` has no place in the body until a series has it, so it is told by its bytes below.
            self.names.append(Name(start: -1, count: 8))
        }
        if Self.isMetric(range, bytes) {
            if self.names[0].start < 0 { self.names[0].start = Int32(range.lowerBound) }
            return Self.metricName
        }
        let hash = bytes.hash(range, seed: self.seed)
        var slot = Int(truncatingIfNeeded: hash) & (self.nameSlots.count - 1)
        while true {
            let candidate = self.nameSlots[slot]
            if candidate < 0 { break }
            let name = self.names[Int(candidate)]
            if Int(name.count) == range.count, bytes.hasSameBytes(at: Int(name.start), as: range) { return candidate }
            slot = (slot + 1) & (self.nameSlots.count - 1)
        }
        let number = Int32(self.names.count)
        self.names.append(Name(start: Int32(range.lowerBound), count: Int32(range.count)))
        self.nameSlots[slot] = number
        if self.names.count * 2 > self.nameSlots.count { self.growNames(bytes) }
        return number
    }

    private mutating func growLabels(_ bytes: RawSpan) {
        self.labelSlots = Array(repeating: -1, count: self.labelSlots.count * 2)
        for (number, label) in self.labels.enumerated() {
            let name = Int(label.nameStart)..<Int(label.nameStart + label.nameCount)
            let value = Int(label.valueStart)..<Int(label.valueStart + label.valueCount)
            if Self.isTooLong(name, value, in: bytes) { continue }
            let hash = bytes.hash(value, seed: bytes.hash(name, seed: self.seed))
            Self.place(Int32(number), hash, in: &self.labelSlots)
        }
    }

    private mutating func growNames(_ bytes: RawSpan) {
        self.nameSlots = Array(repeating: -1, count: self.nameSlots.count * 2)
        for (number, name) in self.names.enumerated().dropFirst() {
            let range = Int(name.start)..<Int(name.start + name.count)
            Self.place(Int32(number), bytes.hash(range, seed: self.seed), in: &self.nameSlots)
        }
    }

    private static func place(_ number: Int32, _ hash: UInt64, in slots: inout [Int32]) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = number
    }

    // MARK: Bytes

    private static func isMetricName(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.byteCount && range.count == 8)
        // "__name__", little endian.
        return unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: range.lowerBound, as: UInt64.self)
            == 0x5F5F_656D_616E_5F5F
    }
}
