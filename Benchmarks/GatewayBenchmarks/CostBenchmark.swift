import Glibc
import Translator

/// What a sample costs at Timestream: sent through a gateway to a store that meters, beside the AWS connector's layout of
/// the same samples.
struct CostBenchmark {
    let gatewayPort: Int
    let storePort: Int

    /// - Parameter page: file with an exporter's page; nil measures the workload that is made by code.
    func run(page: String?) throws {
        let page = try page.map { try Self.series(page: $0) }
        print("                 labels a series    bytes a sample     for 1,000 samples")
        print("samples/request  number   bytes    body   metered    calls  write units  layout")
        for samples in [100, 500, 2_000] {
            let requests = page?.requests(of: samples) ?? [ScrapeWorkload(samples: samples).series]
            var connector = WriteMeter()
            for request in requests {
                for body in ConnectorLayout.bodies(request) { try connector.add(body) }
            }
            let series = requests.flatMap { $0 }
            let gateway = try self.send(requests)
            guard gateway.records == series.count else {
                throw LoopbackClient.Failure(text: "\(series.count) samples became \(gateway.records) records")
            }
            Self.show("gateway", gateway, series, samples)
            Self.show("connector", connector, series, samples)
        }
    }

    /// Ten targets with the same page, each scraped at a time of its own.
    private static func series(page path: String) throws -> [Series] {
        let text = try readFile(path)
        return try (0..<10).flatMap { target in
            let labels = [(name: "instance", value: "10.20.\(target).17:9100"), ("job", "node")]
            let page = ExporterPage(text: text, targetLabels: labels)
            return try page.scrape(atMilliseconds: 1_700_000_000_000 + Int64(target) * 1_487)
        }
    }

    /// Sends all requests, and asks the store what it got.
    private func send(_ requests: [[Series]]) throws -> WriteMeter {
        let store = try LoopbackClient(port: self.storePort)
        _ = try store.exchange("GET", "/meter")
        let gateway = try LoopbackClient(port: self.gatewayPort)
        for request in requests { try gateway.write(request) }
        let answer = try store.exchange("GET", "/meter", keepsBody: true)
        guard let meter = WriteMeter(line: String(decoding: answer.body, as: UTF8.self)) else {
            throw LoopbackClient.Failure(text: "the store does not meter")
        }
        return meter
    }

    private static func show(_ layout: String, _ meter: WriteMeter, _ series: [Series], _ samples: Int) {
        let count = Double(series.count)
        let labels = series.flatMap(\.labels)
        let labelBytes = labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        print(
            right("\(samples)", 15),
            right(decimal(Double(labels.count) / count, 1), 7),
            right(decimal(Double(labelBytes) / count, 0), 7),
            right(decimal(Double(meter.bodyBytes) / count, 0), 7),
            right(decimal(Double(meter.meteredBytes) / count, 0), 9),
            right(decimal(Double(meter.calls) * 1_000 / count, 1), 8),
            right(decimal(Double(meter.writeUnits) * 1_000 / count, 1), 12),
            " " + layout
        )
    }
}

/// The text of a file.
func readFile(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw LoopbackClient.Failure(text: "cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}
