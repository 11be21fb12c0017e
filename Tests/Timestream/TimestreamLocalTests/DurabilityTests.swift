import Common
import Foundation
import Logging
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("What is acknowledged stays")
struct DurabilityTests {
    private static let everything = "SELECT * FROM prom.metrics ORDER BY time, measure_name"

    private func fill(_ engine: EngineHarness) async {
        let multi: [String: Any] = [
            "Dimensions": [["Name": "b", "Value": "é\u{0}"]], "MeasureName": "multi", "Time": "7",
            "MeasureValueType": "MULTI",
            "MeasureValues": [
                ["Name": "x", "Value": "-0.0", "Type": "DOUBLE"], ["Name": "s", "Value": "t", "Type": "VARCHAR"],
            ],
        ]
        let records = (0..<50).map {
            record(["a": String($0)], "m\($0 % 3)", "\(Double($0) / 7)", time: 1000 + $0, version: 5)
        }
        #expect(await engine.write(records + [multi]).status == 200)
    }

    private func reopened(_ directory: String, _ body: (EngineHarness) async throws -> Void) async throws {
        let engine = try await EngineHarness(directory: directory, tables: [])
        do { try await body(engine) } catch {
            await engine.close()
            throw error
        }
        await engine.close()
    }

    @Test("closed and opened again, everything is as it was, and goes on from there")
    func reopen() async throws {
        let first = try await EngineHarness()
        await self.fill(first)
        let before = await first.query(Self.everything)
        let arn = "arn:aws:timestream:us-east-1:000000000000:database/prom"
        #expect(
            await first.call("TagResource", ["ResourceARN": arn, "Tags": [["Key": "k", "Value": "v"]]]).status == 200
        )
        await first.engine.close()
        try await self.reopened(first.directory) { engine in
            #expect(await engine.query(Self.everything) == before)
            #expect(before.rows.count == 51)
            #expect(await engine.call("ListTagsForResource", ["ResourceARN": arn]).text.contains(#""Key":"k""#))
            // Versions, types and dimension numbers were kept too.
            #expect(await engine.write([record(["a": "1"], "m1", "9", time: 1001, version: 4)]).status == 419)
            #expect(await engine.write([record(["a": "1"], "m1", "9", time: 1001, version: 6)]).status == 200)
            #expect(await engine.write([record(["a": "1"], "m1", "9", type: "BIGINT")]).status == 419)
            #expect(await engine.write([record(["b": "z", "c": "new"], "m1", "9", time: 1)]).status == 200)
            #expect(
                await engine.query("SELECT \"b\", \"c\" FROM prom.metrics WHERE time = from_milliseconds(1)").rows == [
                    ["z", "new"]
                ]
            )
        }
    }

    @Test("the files as they stand at an answer hold everything that was acknowledged, without the engine's help")
    func copied() async throws {
        try await withEngine { engine in
            for round in 0..<5 {
                #expect(
                    await engine.write((0..<20).map { record(["a": String($0)], time: round * 100 + $0) }).status == 200
                )
                let copy = engine.directory + "-copy\(round)"
                try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
                // As a crash leaves them: the file and its log, no farewell.
                for name in ["timestream.sqlite", "timestream.sqlite-wal"] {
                    try FileManager.default.copyItem(atPath: "\(engine.directory)/\(name)", toPath: "\(copy)/\(name)")
                }
                try await self.reopened(copy) { copied in
                    #expect(await copied.query("SELECT count(*) FROM prom.metrics").rows == [["\((round + 1) * 20)"]])
                }
            }
        }
    }

    @Test("a log that was cut in the middle of a commit loses that commit only")
    func torn() async throws {
        try await withEngine { engine in
            #expect(await engine.write((0..<20).map { record(["a": String($0)], time: $0) }).status == 200)
            let log = "\(engine.directory)/timestream.sqlite-wal"
            let whole = try Data(contentsOf: URL(fileURLWithPath: log)).count
            #expect(await engine.write((0..<20).map { record(["a": String($0)], time: 100 + $0) }).status == 200)
            let copy = engine.directory + "-torn"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: "\(engine.directory)/timestream.sqlite",
                toPath: "\(copy)/timestream.sqlite"
            )
            let later = try Data(contentsOf: URL(fileURLWithPath: log))
            #expect(later.count > whole)
            try later.prefix((whole + later.count) / 2).write(to: URL(fileURLWithPath: "\(copy)/timestream.sqlite-wal"))
            try await self.reopened(copy) { copied in
                #expect(await copied.query("SELECT count(*) FROM prom.metrics").rows == [["20"]])
                #expect(await copied.write([record(["a": "1"], time: 100)]).status == 200)
            }
        }
    }

    @Test("a directory has one engine at a time, and a file that is not ours is left alone")
    func refused() async throws {
        let engine = try await EngineHarness()
        await #expect(throws: LocalEngineError.self) { _ = try await EngineHarness(directory: engine.directory) }
        await engine.engine.close()
        let file = "\(engine.directory)/timestream.sqlite"
        for (content, message) in [
            (Data("no database at all, only some text".utf8), "not a database"),
            (Data(repeating: 7, count: 9000), "not a database"),
        ] {
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + suffix) }
            try content.write(to: URL(fileURLWithPath: file))
            do {
                let opened = try await EngineHarness(directory: engine.directory)
                Issue.record("opened")
                await opened.close()
            } catch let error as LocalEngineError {
                #expect(error.description.contains(message), "\(error)")
            }
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == content)
        }
        try FileManager.default.removeItem(atPath: file)
        let connection = try SQLiteConnection(path: file, access: .readWrite)
        try connection.execute("PRAGMA user_version = 99")
        await #expect(throws: LocalEngineError.self) { _ = try await EngineHarness(directory: engine.directory) }
        try? FileManager.default.removeItem(atPath: engine.directory)
    }

    @Test("after it is closed an engine answers, but stores nothing")
    func closed() async throws {
        let engine = try await EngineHarness()
        await engine.engine.close()
        #expect(await engine.write([record(["a": "x"])]).error == "InternalServerException")
        #expect(await engine.query("SELECT 1").error == "InternalServerException")
        await engine.engine.close()
        try? FileManager.default.removeItem(atPath: engine.directory)
    }
}
