import Common
import GatewayServer
import Glibc
import HTTPServing
import Logging
import NIOPosix
import TenantConfiguration
import Translator
import UpstreamHTTP

/// One of the parts that `Benchmarks/run` puts together; see there.
let usage = """
    usage: GatewayBenchmarks PART
      translator                        CPU of the write translator beside its floor
      translate 1|2 SAMPLES ROUNDS      the same work alone, for a profiler or a counter of instructions
      body 1|2 SAMPLES FILE             writes a remote write body for a load generator
      store PORT DELAY_MS [meter]       a store that acknowledges all and keeps nothing, until it is ended
      relay PORT STORE_PORT SAMPLES     a gateway that does not translate, until it is ended
      gateway CONFIGURATION             the gateway, as a program that valgrind can run
      cost PORT STORE_PORT [PAGE]       what a gateway's calls are billed, by the store's meter
      latency PORT SAMPLES COUNT        how long requests take
      table PORT                        makes the table at a local engine
      fill PORT SERIES SAMPLES END_MS   writes a history through a gateway
      read PORT SERIES SAMPLES END_MS samples|chunks   reads it back
      pages PORT                        fetches it from the local engine itself
    """

let arguments = Array(CommandLine.arguments.dropFirst())

/// A number at a place among the arguments.
func number(_ place: Int) -> Int {
    guard arguments.indices.contains(place), let number = Int(arguments[place]) else { fatalError(usage) }
    return number
}

func version(_ place: Int) -> WriteProtocol {
    number(place) == 1 ? .version1 : .version2
}

func history() -> HistoryWorkload {
    HistoryWorkload(seriesCount: number(2), samplesPerSeries: number(3), endMilliseconds: Int64(number(4)))
}

/// Runs what ends when the process is ended.
///
/// The main thread sleeps, as it does not in an asynchronous `main`: that one's `sigsuspend` with a mask in read-only memory
/// is the end of valgrind 3.19.
func run(_ work: @escaping @Sendable () async throws -> Void) -> Never {
    Task.detached {
        do {
            try await work()
            exit(0)
        } catch {
            fatalError("\(error)")
        }
    }
    while true { sleep(3600) }
}

/// Answers requests.
func serve(_ responder: any HTTPResponder) -> Never {
    let port = number(1)
    run {
        let listener = try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(name: "benchmark", host: "127.0.0.1", port: port),
            responder: responder,
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: MetricRegistry(),
            logger: makeLogger("benchmark")
        )
        while true {
            try await Task.sleep(for: .seconds(3600))
            _ = listener.localAddress
        }
    }
}

@Sendable func makeLogger(_ label: String) -> Logger {
    Logger(label: label) { LineLogHandler(label: $0, format: .logfmt, level: .error) }
}

switch arguments.first {
case "translator":
    try TranslatorBenchmark.run()
case "translate":
    try TranslatorBenchmark.translate(samples: number(2), rounds: number(3), version: version(1))
case "body" where arguments.count == 4:
    let body = SnappyBlock.encode(RemoteMessages.write(ScrapeWorkload(samples: number(2)).series, version(1)))
    guard let file = fopen(arguments[3], "w") else { fatalError("cannot write \(arguments[3])") }
    fwrite(body, 1, body.count, file)
    fclose(file)
case "store":
    let meter = arguments.last == "meter" ? Locked(WriteMeter()) : nil
    serve(BenchmarkStore(delay: .milliseconds(number(2)), meter: meter))
case "relay":
    let message = RemoteMessages.write(ScrapeWorkload(samples: number(3)).series, .version1)
    let plan = try WritePlan.plan(message, options: TranslatorBenchmark.options)
    let relay = RelayBenchmark(
        client: try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry()),
        storeURL: "http://127.0.0.1:\(number(2))/",
        bodies: (0..<plan.batchCount).map { plan.body(ofBatch: $0) }
    )
    serve(relay)
case "gateway" where arguments.count == 2:
    let configuration = try TenantsFile.load(path: arguments[1], environment: [:])
    run { try await GatewayServer.run(configuration, version: "benchmark", makeLogger: makeLogger) }
case "cost":
    try CostBenchmark(gatewayPort: number(1), storePort: number(2)).run(page: arguments.dropFirst(3).first)
case "latency":
    try ClientBenchmarks.latency(port: number(1), samples: number(2), count: number(3))
case "table":
    try ClientBenchmarks.makeTable(port: number(1))
case "fill":
    try ClientBenchmarks.fill(port: number(1), history())
case "read":
    try ClientBenchmarks.read(port: number(1), history(), isStreamed: arguments.last == "chunks")
case "pages":
    try ClientBenchmarks.fetchPages(port: number(1))
default:
    fatalError(usage)
}
