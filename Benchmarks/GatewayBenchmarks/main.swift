import Common
import Glibc
import HTTPServing
import Logging
import NIOPosix
import Translator

// GatewayBenchmarks translator          CPU of the write translator beside its floor
// GatewayBenchmarks body SAMPLES FILE   writes a remote write body for a load generator
// GatewayBenchmarks store PORT          a store that answers at once, until it is ended
let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "translator":
    try TranslatorBenchmark.run()
case "body":
    guard arguments.count == 3, let samples = Int(arguments[2]) else { fatalError("usage: body SAMPLES FILE") }
    let body = SnappyBlock.encode(ScrapeWorkload(samples: samples).message())
    guard let file = fopen(arguments[3], "w") else { fatalError("cannot write \(arguments[3])") }
    fwrite(body, 1, body.count, file)
    fclose(file)
default:
    fatalError("usage: GatewayBenchmarks translator | body SAMPLES FILE | store PORT")
}
