package import Common
import TenantAccess
package import TenantConfiguration
import Translator

/// One tenant, ready to serve: its settings, its way to its table, and its metrics.
///
/// All but the settings is made with the first request: a tenant that nobody uses costs a hundredth of one in use.
package final class TenantService: Sendable {
    private struct Parts: Sendable {
        var tables: TenantTables
        var metadata: TenantMetadata
        var metrics: TenantMetrics
        var faults: FaultLog
    }

    package let settings: TenantSettings
    private let parts: Deferred<Parts>

    /// - Parameters:
    ///   - stores: asked for with the first request.
    ///   - previous: the same tenant with other settings, which this one takes the place of: what it has heard of
    ///     metrics, and told of faults, goes on.
    package init(
        settings: TenantSettings,
        stores: @escaping @Sendable () -> TenantStores,
        metrics: MetricRegistry,
        previous: TenantService? = nil
    ) {
        self.settings = settings
        let before = previous?.parts.made
        self.parts = Deferred {
            Parts(
                tables: TenantTables(settings: settings, stores: stores()),
                metadata: before?.metadata ?? TenantMetadata(tenant: settings.id, registry: metrics),
                metrics: before?.metrics ?? TenantMetrics(tenant: settings.id, registry: metrics),
                faults: before?.faults ?? FaultLog()
            )
        }
    }

    /// Makes now what the first request would make.
    package func prepare() {
        _ = self.parts.value
    }

    /// What its senders tell of their metrics.
    package var metadata: TenantMetadata { self.parts.value.metadata }
    var metrics: TenantMetrics { self.parts.value.metrics }
    var faults: FaultLog { self.parts.value.faults }

    /// The tenant's table, as the caller reaches it.
    func table(of proven: ProvenTenant) -> TenantTable {
        self.parts.value.tables.table(of: proven.callerKeys)
    }
}

/// A tenant's counters, all there at zero as soon as one is needed.
final class TenantMetrics: Sendable {
    /// Why stored histograms are not in an answer.
    enum Unreadable: String, CaseIterable { case incomplete, malformed }

    /// Why exemplars are not stored.
    enum ExemplarDrop: String, CaseIterable {
        /// Timestream has no type for them, and a table of plain samples no room.
        case noPlace = "no_place"
        case malformed
    }

    /// Why samples were left out by our own policy.
    enum Drop: String, CaseIterable { case specialValue = "special_value", longName = "long_name" }

    // The reference connector's names, so that its dashboards keep working.
    let receivedSamples: MetricCounter
    let ignoredSamples: MetricCounter
    let writeRequests: MetricCounter
    let readRequests: MetricCounter
    let writeDuration: MetricHistogram
    let readDuration: MetricHistogram
    // Ours.
    let storedSamples: MetricCounter
    let storedHistograms: MetricCounter
    let failedSamples: MetricCounter
    let readSamples: MetricCounter
    let brokenReads: MetricCounter
    let metadata: MetricCounter
    let exemplars: MetricCounter
    let histograms: MetricCounter
    let startTimestamps: MetricCounter
    private let unreadableHistograms: [Unreadable: MetricCounter]
    private let rejectedSamples: [RefusalSummary.Reason: MetricCounter]
    private let droppedSamples: [Drop: MetricCounter]
    private let droppedByGuards: [RefusalSummary.Reason: MetricCounter]
    private let droppedExemplars: [ExemplarDrop: MetricCounter]

    init(tenant: String, registry: MetricRegistry) {
        let label = [("tenant", tenant)]
        func counter(_ name: String, _ help: String) -> MetricCounter {
            registry.counter(name, help: help, labels: label)
        }
        self.receivedSamples = counter(
            "timestream_connector_received_samples_total",
            "Samples in remote write requests that could be read."
        )
        self.ignoredSamples = counter(
            "timestream_connector_ignored_samples_total",
            "Samples that were refused or left out."
        )
        self.writeRequests = counter("timestream_connector_write_requests_total", "Remote write requests admitted.")
        self.readRequests = counter("timestream_connector_read_requests_total", "Remote read requests admitted.")
        self.writeDuration = registry.histogram(
            "timestream_connector_write_duration_seconds",
            help: "Time from a write request's admission to its answer.",
            labels: label
        )
        self.readDuration = registry.histogram(
            "timestream_connector_read_duration_seconds",
            help: "Time from a read request's admission to its answer.",
            labels: label
        )
        self.storedSamples = counter("gateway_samples_stored_total", "Samples that Timestream has acknowledged.")
        self.storedHistograms = counter(
            "gateway_histograms_stored_total",
            "Native histograms that Timestream has acknowledged; among the samples too."
        )
        self.failedSamples = counter(
            "gateway_samples_failed_total",
            "Samples answered with 5xx: the sender keeps and repeats them."
        )
        self.readSamples = counter("gateway_samples_read_total", "Samples in remote read answers.")
        self.brokenReads = counter(
            "gateway_reads_broken_off_total",
            "Streamed remote read answers that were broken off, since the rest could not be read."
        )
        self.metadata = counter("gateway_metadata_received_total", "Metric metadata entries received.")
        self.exemplars = counter("gateway_exemplars_received_total", "Exemplars received.")
        self.histograms = counter(
            "gateway_histograms_received_total",
            "Native histograms in remote write requests that could be read."
        )
        self.startTimestamps = counter(
            "gateway_start_timestamps_received_total",
            "Samples with a start timestamp (remote write 2.0); the timestamp is not stored."
        )
        func counters<Reason: CaseIterable & Hashable & RawRepresentable<String>>(
            _ name: String,
            _ help: String
        ) -> [Reason: MetricCounter] {
            Dictionary(
                uniqueKeysWithValues: Reason.allCases.map { reason in
                    (reason, registry.counter(name, help: help, labels: label + [("reason", reason.rawValue)]))
                }
            )
        }
        self.unreadableHistograms = counters(
            "gateway_histograms_unreadable_total",
            "Stored native histograms that are not in an answer, each time it lacks them."
        )
        self.rejectedSamples = counters("gateway_samples_rejected_total", "Samples refused for good, by reason.")
        let dropped = ("gateway_samples_dropped_total", "Samples left out by the tenant's own options, by reason.")
        self.droppedSamples = counters(dropped.0, dropped.1)
        self.droppedByGuards = Dictionary(
            uniqueKeysWithValues: SeriesGuards.reasons.map { reason in
                let labels = label + [("reason", reason.rawValue)]
                return (reason, registry.counter(dropped.0, help: dropped.1, labels: labels))
            }
        )
        self.droppedExemplars = counters("gateway_exemplars_dropped_total", "Exemplars that are not stored, by reason.")
    }

    func note(_ counts: WriteCounts) {
        self.receivedSamples.increment(by: counts.samples + counts.histograms)
        self.metadata.increment(by: counts.metadata)
        self.exemplars.increment(by: counts.exemplars)
        self.droppedExemplars[.noPlace]?.increment(by: counts.exemplars - counts.refusedExemplars)
        self.droppedExemplars[.malformed]?.increment(by: counts.refusedExemplars)
        self.histograms.increment(by: counts.histograms)
        self.startTimestamps.increment(by: counts.startTimestamps)
        self.droppedSamples[.specialValue]?.increment(by: counts.droppedSpecialValues)
        self.droppedSamples[.longName]?.increment(by: counts.droppedLongNames)
        for (reason, samples) in counts.droppedByGuards {
            self.droppedByGuards[reason]?.increment(by: samples)
        }
        self.ignoredSamples.increment(by: counts.dropped)
    }

    func note(_ counts: ReadCounts) {
        self.readSamples.increment(by: counts.samples)
        self.unreadableHistograms[.incomplete]?.increment(by: counts.incompleteHistograms)
        self.unreadableHistograms[.malformed]?.increment(by: counts.malformedHistograms)
    }

    func note(_ outcome: RecordWriter.Outcome, repeated: Int) {
        // A repeated sample is stored once and acknowledged each time.
        self.storedHistograms.increment(by: outcome.storedHistograms)
        self.storedSamples.increment(
            by: outcome.stored + outcome.storedHistograms + (outcome.failure == nil ? repeated : 0)
        )
        self.failedSamples.increment(by: outcome.failed)
        for (reason, samples) in outcome.refusals.samplesByReason {
            self.rejectedSamples[reason]?.increment(by: samples)
        }
        self.ignoredSamples.increment(by: outcome.refusals.samples)
    }
}
