import Common
import Glibc
import HTTPServing
import Logging
import NIOPosix
import Translator

// GatewayBenchmarks translator          CPU of the write translator beside its floor
// GatewayBenchmarks translate SAMPLES ROUNDS   the same work, for a profiler or an instruction counter
// GatewayBenchmarks body SAMPLES FILE   writes a remote write body for a load generator
// GatewayBenchmarks store PORT          a store that answers at once, until it is ended
let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "translator":
    try TranslatorBenchmark.run()
case "translate":
    guard arguments.count == 3, let samples = Int(arguments[2]), let rounds = Int(arguments[3]) else {
        fatalError("usage: translate SAMPLES ROUNDS")
    }
    try TranslatorBenchmark.translate(samples: samples, rounds: rounds)
case "body":
    guard arguments.count == 3, let samples = Int(arguments[2]) else { fatalError("usage: body SAMPLES FILE") }
    let body = SnappyBlock.encode(ScrapeWorkload(samples: samples).message())
    guard let file = fopen(arguments[3], "w") else { fatalError("cannot write \(arguments[3])") }
    fwrite(body, 1, body.count, file)
    fclose(file)
case "store":
    guard arguments.count == 2, let port = Int(arguments[2]) else { fatalError("usage: store PORT") }
    let listener = try await HTTPListener.start(
        configuration: HTTPListenerConfiguration(name: "store", host: "127.0.0.1", port: port),
        responder: InstantStore(),
        group: MultiThreadedEventLoopGroup.singleton,
        metrics: MetricRegistry(),
        logger: Logger(label: "store") { LineLogHandler(label: $0, format: .logfmt, level: .error) }
    )
    print("store listens on \(listener.localAddress)")
    while true { try await Task.sleep(for: .seconds(3600)) }
default:
    fatalError("usage: GatewayBenchmarks translator | translate SAMPLES ROUNDS | body SAMPLES FILE | store PORT")
}
