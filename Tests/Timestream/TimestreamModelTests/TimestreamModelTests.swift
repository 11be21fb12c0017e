import Testing

@testable import TimestreamModel

@Suite("A page of a query")
struct QueryPageTests {
    private let page = QueryPage(
        queryID: "Q",
        columns: [QueryPage.Column(name: "a", scalarType: "VARCHAR"), QueryPage.Column(name: "b", scalarType: nil)],
        cells: [
            QueryPage.Cell(offset: 0, count: 2), .null,
            QueryPage.Cell(offset: 2, count: 0), QueryPage.Cell(offset: 2, count: 3),
        ],
        arena: Array("xyabc".utf8),
        nextToken: nil
    )

    @Test("cells are found by row and column, and an empty text is not null")
    func cells() {
        #expect(self.page.rowCount == 2)
        #expect(self.page.bytes(row: 0, column: 0).map(Array.init) == Array("xy".utf8))
        #expect(self.page.bytes(row: 0, column: 1) == nil)
        #expect(self.page.bytes(row: 1, column: 0).map(Array.init) == [])
        #expect(self.page.bytes(row: 1, column: 1).map(Array.init) == Array("abc".utf8))
        #expect(QueryPage.Cell.null.isNull)
        #expect(!QueryPage.Cell(offset: 5, count: 0).isNull)
    }

    @Test("a page without columns has no rows")
    func noColumns() {
        let empty = QueryPage(queryID: "Q", columns: [], cells: [], arena: [], nextToken: "more")
        #expect(empty.rowCount == 0)
    }
}

@Suite("Errors of Timestream")
struct TimestreamErrorTests {
    @Test("every code is its own metric label, in lower case and underscores")
    func labels() {
        let labels = TimestreamError.Code.allCases.map(\.rawValue)
        #expect(Set(labels).count == labels.count)
        for label in labels {
            #expect(!label.isEmpty && label.allSatisfy { $0 == "_" || $0.isLowercase && $0.isASCII })
        }
    }

    @Test("what passes by itself is not what an operator must mend", arguments: TimestreamError.Code.allCases)
    func kinds(code: TimestreamError.Code) {
        let error = TimestreamError(code, message: "")
        #expect(!(error.isTransient && error.isOperatorFault))
        let isForTheCaller = [.conflict, .queryExecution, .rejectedRecords, .validation, .cancelled].contains(code)
        #expect(isForTheCaller != (error.isTransient || error.isOperatorFault))
    }

    @Test("what a tenant may see holds the code alone; the rest is for logs")
    func descriptions() {
        let error = TimestreamError(.validation, message: "Column 'secret' does not exist", status: 400)
        #expect(error.description == "Timestream: validation")
        #expect(error.debugDescription == "Timestream: validation (HTTP 400): Column 'secret' does not exist")
        #expect(TimestreamError(.network, message: "m").debugDescription == "Timestream: network: m")
    }

    @Test("a table is written with its database")
    func tableName() {
        #expect(TableName(database: "db", table: "t").description == "db.t")
    }
}

@Suite("What the service's words tell an operator")
struct OperatorWordsTests {
    @Test("the missing IAM action and resource are found, and the statement that mends it")
    func missingPermission() throws {
        let table = "arn:aws:timestream:eu-west-1:111122223333:database/payments/table/prometheus"
        let message =
            "AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized to perform: "
            + "timestream:WriteRecords on resource: \(table) because no identity-based policy allows the "
            + "timestream:WriteRecords action"
        let missing = try #require(MissingPermission(message: message))
        #expect(missing.action == "timestream:WriteRecords")
        #expect(missing.resource == table)
        #expect(!missing.isExplicitlyDenied)
        let statement = #"{"Effect": "Allow", "Action": "timestream:WriteRecords", "Resource": "\#(table)"}"#
        #expect(missing.remedy.hasSuffix(statement))
    }

    @Test("discovery is allowed for all resources or not at all")
    func discovery() throws {
        let message =
            "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: timestream:DescribeEndpoints because no "
            + "identity-based policy allows the timestream:DescribeEndpoints action"
        let missing = try #require(MissingPermission(message: message))
        #expect(missing.resource == nil)
        #expect(missing.remedy.contains(#""Resource": "*""#))
        let denied = try #require(
            MissingPermission(
                message: "x to perform: timestream:Select on resource: arn:a:b. with an explicit deny in y"
            )
        )
        #expect(denied.isExplicitlyDenied && denied.resource == "arn:a:b")
        #expect(denied.remedy.contains("denies timestream:Select"))
    }

    @Test(
        "other words name nothing",
        arguments: [
            "", "to perform: ", "to perform: timestream", "to perform: a:b:c", "to perform: x\":y",
            "not authorized", "to perform: \u{1B}[2J:x",
        ]
    )
    func nothing(message: String) {
        #expect(MissingPermission(message: message) == nil)
    }

    @Test("a service that is closed to new customers is told from a missing permission")
    func closed() {
        let text = "AccessDeniedException: Only existing Timestream for LiveAnalytics customers can access the service."
        #expect(TimestreamError(.accessDenied, message: text).isClosedToNewCustomers)
        #expect(TimestreamError(.accessDenied, message: "closed to new customers").isClosedToNewCustomers)
        #expect(!TimestreamError(.validation, message: text).isClosedToNewCustomers)
        #expect(!TimestreamError(.accessDenied, message: "not authorized to perform: x:y").isClosedToNewCustomers)
    }

    @Test(
        "reasons of rejected records are told apart",
        arguments: [
            (
                "A record already exists with the same time, dimensions, measure name, and record version. A higher record "
                    + "version must be specified in order to update the measure value.", .versionConflict
            ),
            ("The record version 2 is lower than the existing version 200.", .versionConflict),
            ("The record timestamp is outside the time range [a, b) of the memory store.", .timeWindow),
            ("The record timestamp is outside the time range [a, b) of the data ingestion window.", .timeWindow),
            ("The number of dimensions exceeds the limit of 128", .limit), ("no reason given", .other), ("", .other),
        ] as [(String, RejectedRecord.Kind)]
    )
    func kinds(reason: String, kind: RejectedRecord.Kind) {
        #expect(RejectedRecord(index: 0, reason: reason).kind == kind)
        #expect(RejectedRecord(index: 0, reason: reason, existingVersion: 1).kind == .versionConflict)
    }
}
