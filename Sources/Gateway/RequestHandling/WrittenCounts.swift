import HTTPTypes
import Translator

/// What a remote write 2.0 sender is told about how much of its request is written.
///
/// Never with 5xx: the sender adds the numbers of all its tries up. Never to a 1.0 sender: one that sees any of them takes
/// the others for zero, and reports loss.
struct WrittenCounts {
    var samples = 0
    var histograms = 0
    var exemplars = 0

    /// Nothing of the request.
    static let none = WrittenCounts()

    private init() {}

    /// What the tenant's own options leave out counts as written: nobody is to report it as lost.
    init(_ outcome: RecordWriter.Outcome, _ counts: WriteCounts) {
        let dropped = counts.dropped - counts.droppedHistograms
        self.samples = outcome.stored + counts.repeatedSamples - counts.repeatedHistograms + dropped
        self.histograms = outcome.storedHistograms + counts.repeatedHistograms + counts.droppedHistograms
        self.exemplars = counts.exemplars - counts.refusedExemplars
    }

    func headerFields(_ version: WriteProtocol) -> HTTPFields {
        guard version == .version2 else { return [:] }
        return [
            .remoteWriteSamplesWritten: "\(self.samples)",
            .remoteWriteHistogramsWritten: "\(self.histograms)",
            .remoteWriteExemplarsWritten: "\(self.exemplars)",
        ]
    }
}

extension HTTPField.Name {
    fileprivate static let remoteWriteSamplesWritten = remoteWrite("Samples")
    fileprivate static let remoteWriteHistogramsWritten = remoteWrite("Histograms")
    fileprivate static let remoteWriteExemplarsWritten = remoteWrite("Exemplars")

    private static func remoteWrite(_ kind: String) -> HTTPField.Name {
        guard let name = HTTPField.Name("X-Prometheus-Remote-Write-\(kind)-Written") else {
            preconditionFailure("a constant that is a valid field name")
        }
        return name
    }
}
