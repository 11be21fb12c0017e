package import Common
package import Translator

/// What a tenant's senders tell of their metrics: type, help and unit, the latest of each metric.
///
/// Timestream has no place for it, so it is kept in memory, and is there again a minute after a start: senders repeat
/// it. Bounded; what was not written for longest goes first. Senders repeat what is still true, so that is what nobody
/// uses any more, where refusing new ones would keep the metrics of last month's release and turn away those of today.
package final class TenantMetadata: Sendable {
    package static let maximumMetrics = RequestMetadata.maximumEntries
    /// Bytes of all names, helps and units.
    package static let maximumTextBytes = RequestMetadata.maximumTextBytes

    private static let displaced = "displaced"

    private let shelf: Locked<Shelf>
    private let kept: MetricGauge
    private let drops: [String: MetricCounter]

    package convenience init(tenant: String, registry: MetricRegistry) {
        self.init(
            tenant: tenant,
            registry: registry,
            maximumMetrics: Self.maximumMetrics,
            maximumTextBytes: Self.maximumTextBytes
        )
    }

    init(tenant: String, registry: MetricRegistry, maximumMetrics: Int, maximumTextBytes: Int) {
        self.shelf = Locked(Shelf(maximumMetrics: maximumMetrics, maximumTextBytes: maximumTextBytes))
        self.kept = registry.gauge(
            "gateway_metadata_entries",
            help: "Metrics whose metadata is kept now.",
            labels: [("tenant", tenant)]
        )
        let reasons = RequestMetadata.Drop.allCases.map(\.rawValue) + [Self.displaced]
        self.drops = Dictionary(
            uniqueKeysWithValues: reasons.map { reason in
                let labels = [("tenant", tenant), ("reason", reason)]
                let help = "Metric metadata entries not kept, by reason."
                return (reason, registry.counter("gateway_metadata_dropped_total", help: help, labels: labels))
            }
        )
    }

    /// Keeps what a request tells; costs nothing for a request that tells nothing.
    package func keep(_ metadata: RequestMetadata) {
        for (reason, count) in metadata.drops { self.drops[reason.rawValue]?.increment(by: count) }
        guard metadata.count > 0 else { return }
        let entries = metadata.entries()
        let displaced = self.shelf.withLock { shelf in
            var displaced = 0
            for entry in entries { displaced += shelf.put(entry) }
            self.kept.set(shelf.count)
            return displaced
        }
        self.drops[Self.displaced]?.increment(by: displaced)
    }

    /// What is kept, in the order of the names' bytes.
    ///
    /// - Parameter metric: of this metric alone, by its name in UTF-8 bytes; nil for all.
    package func entries(of metric: [UInt8]? = nil) -> [MetricMetadata] {
        guard let metric else {
            return self.shelf.withLock(\.all).sorted { $0.metric.lexicographicallyPrecedes($1.metric) }
        }
        return self.shelf.withLock { $0[metric] }.map { [$0] } ?? []
    }
}

/// Metadata in the order of when it was last written: a list through the places of an array, and names that lead to
/// them.
private struct Shelf {
    private struct Place {
        var metadata: MetricMetadata
        var earlier: Int?
        var later: Int?
    }

    private let maximumMetrics: Int
    private let maximumTextBytes: Int
    private var places: [Place] = []
    private var free: [Int] = []
    private var numbers: [[UInt8]: Int] = [:]
    private var earliest: Int?
    private var latest: Int?
    private var textBytes = 0

    init(maximumMetrics: Int, maximumTextBytes: Int) {
        self.maximumMetrics = maximumMetrics
        self.maximumTextBytes = maximumTextBytes
    }

    var count: Int { self.numbers.count }

    var all: [MetricMetadata] { self.numbers.values.map { self.places[$0].metadata } }

    subscript(metric: [UInt8]) -> MetricMetadata? {
        self.numbers[metric].map { self.places[$0].metadata }
    }

    /// - Returns: how many others had to go.
    mutating func put(_ metadata: MetricMetadata) -> Int {
        if let number = self.numbers[metadata.metric] { self.remove(number) }
        let place = Place(metadata: metadata, earlier: self.latest, later: nil)
        let number: Int
        if let free = self.free.popLast() {
            number = free
            self.places[number] = place
        } else {
            number = self.places.count
            self.places.append(place)
        }
        if let latest { self.places[latest].later = number } else { self.earliest = number }
        self.latest = number
        self.numbers[metadata.metric] = number
        self.textBytes += metadata.textBytes
        var displaced = 0
        while self.count > self.maximumMetrics || self.textBytes > self.maximumTextBytes, let earliest {
            self.remove(earliest)
            displaced += 1
        }
        return displaced
    }

    private mutating func remove(_ number: Int) {
        let place = self.places[number]
        if let earlier = place.earlier { self.places[earlier].later = place.later } else { self.earliest = place.later }
        if let later = place.later { self.places[later].earlier = place.earlier } else { self.latest = place.earlier }
        self.numbers[place.metadata.metric] = nil
        self.textBytes -= place.metadata.textBytes
        // Its texts are not kept until somebody takes the place.
        self.places[number].metadata = MetricMetadata(metric: [], kind: .unknown, help: "", unit: "")
        self.free.append(number)
    }
}
