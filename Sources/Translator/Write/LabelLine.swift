/// The labels of one series, kept while the next one is read.
///
/// Neighbours in a scrape differ in one label or two, so the labels of a series become those of the next one in place:
/// a run of labels whose bytes are the same in both messages costs one comparison, and only the others are parsed and
/// looked up.
struct LabelLine {
    struct Entry {
        /// Which of the table's names it has.
        var name: Int32
        /// Bytes of its field in the message, key and length included.
        var fieldBytes: Int32
        /// See `LabelTable.Label`.
        var storedBytes: Int32
        var fragmentBytes: Int32
        var fault: LabelTable.Fault
        var isEmpty: Bool
        /// Whether its name comes after the one before it, byte by byte.
        var isInOrder: Bool
    }

    /// Sums over the entries, kept up to date as they change.
    struct Sums {
        var storedBytes: Int32 = 0
        var fragmentBytes: Int32 = 0
        /// How many entries are faulty, empty, or not in order.
        var faulty: Int32 = 0
        var empty: Int32 = 0
        var notInOrder: Int32 = 0

        mutating func add(_ entry: Entry, times sign: Int32) {
            self.storedBytes += sign * entry.storedBytes
            self.fragmentBytes += sign * entry.fragmentBytes
            if entry.fault != .none { self.faulty += sign }
            if entry.isEmpty { self.empty += sign }
            if !entry.isInOrder { self.notInOrder += sign }
        }
    }

    private(set) var sums = Sums()
    /// The labels as numbers of the table, in the order in which the series has them.
    private(set) var numbers: [Int32] = []
    private(set) var entries: [Entry] = []
    /// The label `__name__`, if the series has it and it is not empty.
    var metric: Int32? {
        // Nearly always the first one.
        for (index, entry) in self.entries.enumerated() where entry.name == LabelTable.metricName && !entry.isEmpty {
            return self.numbers[index]
        }
        return nil
    }

    /// How many of them are known to be those of the series at hand; the others are still of the series before.
    private(set) var count = 0
    /// Where the entry at `count` stands in the message of the series before; nil if its labels are not all there, one
    /// directly after the other.
    private var previousPosition: Int?
    /// Where the labels of the series at hand start and end so far; nil if something stands between them.
    private var block: Range<Int>?

    init() {
        self.numbers.reserveCapacity(WriteOptions.maximumLabels + 1)
        self.entries.reserveCapacity(WriteOptions.maximumLabels + 1)
    }

    /// Begins the next series, whose message starts at `position`.
    mutating func next(at position: Int) {
        self.previousPosition = self.block?.lowerBound
        self.block = position..<position
        self.count = 0
    }

    /// Takes over the labels that the series before has in the same bytes.
    ///
    /// - Parameter range: from a field's key to the end of the message.
    /// - Returns: how many bytes these fields have; zero if the next label is another one.
    @inline(__always)
    mutating func takeRepeated(_ range: Range<Int>, in bytes: RawSpan, limit: Int) -> Int {
        guard let previousPosition = self.previousPosition, self.count < self.entries.count,
            self.block?.upperBound == range.lowerBound
        else { return 0 }
        let sameBytes = bytes.commonPrefix(previousPosition, range)
        let end = min(self.entries.count, limit)
        var taken = 0
        while self.count < end {
            let fieldBytes = Int(self.entries[self.count].fieldBytes)
            guard taken + fieldBytes <= sameBytes else { break }
            taken += fieldBytes
            self.count += 1
        }
        self.previousPosition = previousPosition + taken
        self.extendBlock(range.lowerBound..<range.lowerBound + taken)
        return taken
    }

    /// Puts a label that the series before does not have here.
    ///
    /// - Parameter field: its bytes in the message, key and length included.
    mutating func put(_ number: Int32, field: Range<Int>, _ bytes: RawSpan, _ table: borrowing LabelTable) {
        let label = table.labels[Int(number)]
        let index = self.count
        var entry = Entry(
            name: label.name,
            fieldBytes: Int32(field.count),
            storedBytes: label.storedBytes,
            fragmentBytes: label.fragmentCount + 1,
            fault: label.fault,
            isEmpty: label.valueCount == 0,
            isInOrder: true
        )
        if index + 1 < self.entries.count, self.entries[index].name != label.name,
            self.entries[index + 1].name == label.name
        {
            // The series before has one more label here.
            self.passPrevious(index)
            self.remove(at: index)
            self.updateOrder(at: index, bytes, table)
        }
        if index < self.entries.count, self.entries[index].name == label.name {
            self.passPrevious(index)
            entry.isInOrder = self.entries[index].isInOrder
            self.sums.add(self.entries[index], times: -1)
            self.entries[index] = entry
            self.numbers[index] = number
            self.sums.add(entry, times: 1)
        } else {
            self.entries.insert(entry, at: index)
            self.numbers.insert(number, at: index)
            self.sums.add(entry, times: 1)
            self.updateOrder(at: index, bytes, table)
            self.updateOrder(at: index + 1, bytes, table)
        }
        self.count += 1
        self.extendBlock(field)
    }

    /// Ends the series: labels that only the one before had go.
    mutating func end() {
        while self.entries.count > self.count { self.remove(at: self.entries.count - 1) }
    }

    /// Notes that the series has labels that are not kept here, so that the next one cannot be told from it.
    mutating func forgetPlace() {
        self.block = nil
    }

    private mutating func extendBlock(_ field: Range<Int>) {
        guard let block = self.block else { return }
        if block.upperBound == field.lowerBound {
            self.block = block.lowerBound..<field.upperBound
        } else if block.isEmpty {
            self.block = field
        } else {
            self.block = nil
        }
    }

    private mutating func passPrevious(_ index: Int) {
        guard let position = self.previousPosition else { return }
        self.previousPosition = position + Int(self.entries[index].fieldBytes)
    }

    private mutating func remove(at index: Int) {
        self.sums.add(self.entries.remove(at: index), times: -1)
        self.numbers.remove(at: index)
    }

    private mutating func updateOrder(at index: Int, _ bytes: RawSpan, _ table: borrowing LabelTable) {
        guard index < self.entries.count else { return }
        self.sums.add(self.entries[index], times: -1)
        self.entries[index].isInOrder =
            index == 0 || table.isName(self.entries[index - 1].name, before: self.entries[index].name, in: bytes)
        self.sums.add(self.entries[index], times: 1)
    }
}
