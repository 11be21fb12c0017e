import Common
import TimestreamModel
import TimestreamService

/// What one tenant's table says, and what it lets be done with it.
enum TableProbe {
    typealias Description = Result<TableDescription, TimestreamError>

    struct Reading: Sendable {
        enum Outcome: Sendable {
            /// A free statement was answered, which needs another permission than reading.
            case described
            case selected
            case missing
            case failed(TimestreamError)
        }
        var outcome: Outcome
        var dimensions: Int?
        /// Whether some of those counted may be measures.
        var isCountUpperBound = false

        var isMissing: Bool { if case .missing = self.outcome { true } else { false } }
    }

    enum Writing: Sendable {
        case allowed
        case missing
        /// What must be refused was not.
        case taken
        case failed(TimestreamError)

        var isMissing: Bool { if case .missing = self { true } else { false } }
    }
}

extension TableProbe.Description {
    var code: TimestreamError.Code? { if case .failure(let error) = self { error.code } else { nil } }
}

extension TenantInspection {
    func describe(
        _ client: TimestreamServiceClient,
        _ deadline: ContinuousClock.Instant
    ) async -> TableProbe.Description {
        do throws(TimestreamError) {
            return .success(try await client.describeTable(self.table, deadline: deadline))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Reading

    /// `DESCRIBE` costs nothing, but needs a permission of its own; without it, and if it is wished, a `SELECT` of a minute
    /// follows, which is metered with the least there is.
    func probeReading(
        _ client: TimestreamServiceClient,
        _ deadline: ContinuousClock.Instant
    ) async -> TableProbe.Reading {
        let table = "\"\(self.table.database)\".\"\(self.table.table)\""
        var dimensions: Int?
        do throws(TimestreamError) {
            dimensions = try await Self.dimensions("DESCRIBE \(table)", client, deadline)
            guard self.runsSelect else { return TableProbe.Reading(outcome: .described, dimensions: dimensions) }
        } catch {
            if Self.saysMissing(error) { return TableProbe.Reading(outcome: .missing) }
            // Not every store knows the statement; whether it can be read is another question.
            guard error.code == .accessDenied || error.code == .validation, !error.isClosedToNewCustomers else {
                return TableProbe.Reading(outcome: .failed(error))
            }
        }
        do throws(TimestreamError) {
            let select = "SELECT * FROM \(table) WHERE time > ago(1m) LIMIT 1"
            let page = try await client.query(select, nextToken: nil, deadline: deadline)
            if page.nextToken != nil { await client.cancelQuery(id: page.queryID) }
            if let dimensions { return TableProbe.Reading(outcome: .selected, dimensions: dimensions) }
            let texts = page.columns.count { column in
                column.scalarType == "VARCHAR" && column.name != "measure_name"
                    && !column.name.hasPrefix("measure_value")
            }
            return TableProbe.Reading(outcome: .selected, dimensions: texts, isCountUpperBound: true)
        } catch {
            let outcome: TableProbe.Reading.Outcome = Self.saysMissing(error) ? .missing : .failed(error)
            return TableProbe.Reading(outcome: outcome, dimensions: dimensions)
        }
    }

    private static func dimensions(
        _ statement: String,
        _ client: TimestreamServiceClient,
        _ deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> Int? {
        var count = 0
        var nextToken: String?
        repeat {
            let page = try await client.query(statement, nextToken: nextToken, deadline: deadline)
            nextToken = page.nextToken
            // Column, type, attribute type.
            guard page.columns.count >= 3 else { return nil }
            count += (0..<page.rowCount).count { row in
                page.bytes(row: row, column: 2)?.elementsEqual("DIMENSION".utf8) ?? false
            }
        } while nextToken != nil
        return count
    }

    /// The Query API has no error of its own for it; the words are observed.
    private static func saysMissing(_ error: TimestreamError) -> Bool {
        if error.code == .resourceNotFound { return true }
        guard error.code == .validation else { return false }
        return error.message.contains("does not exist in database") || error.message.contains("Requested database")
    }

    // MARK: Writing

    /// A record without dimensions is refused by its content, and only for those who may write.
    func probeWriting(
        _ client: TimestreamServiceClient,
        _ deadline: ContinuousClock.Instant
    ) async -> TableProbe.Writing {
        var json: [UInt8] = Array("{\"DatabaseName\":".utf8)
        JSONText.append(self.table.database, to: &json)
        json += Array(",\"TableName\":".utf8)
        JSONText.append(self.table.table, to: &json)
        // Long past, too: should a store take it all the same, then not among the tenant's data.
        json += Array(",\"Records\":[{\"MeasureName\":\"probe\",\"MeasureValue\":\"0\",\"Time\":\"1\"}]}".utf8)
        do throws(TimestreamError) {
            try await client.writeRecords(body: FrozenBytes(json), deadline: deadline)
            return .taken
        } catch {
            switch error.code {
            // By its name: anything on the way may answer 400.
            case .validation where error.name == "ValidationException": return .allowed
            case .rejectedRecords: return .allowed
            case .resourceNotFound: return .missing
            default: return .failed(error)
            }
        }
    }
}
