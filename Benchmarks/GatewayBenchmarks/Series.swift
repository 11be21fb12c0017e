/// A series with its samples, as a sender has them.
struct Series {
    /// The metric's name among them as `__name__`; sorted by name.
    var labels: [(name: String, value: String)]
    var samples: [(milliseconds: Int64, value: Double)]

    /// - Parameter labels: in any order.
    init(_ labels: [(name: String, value: String)], _ samples: [(milliseconds: Int64, value: Double)]) {
        self.labels = labels.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        self.samples = samples
    }
}

extension [Series] {
    /// In the order in which they came, at most so many in each; series of one sample.
    func requests(of count: Int) -> [[Series]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
