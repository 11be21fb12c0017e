import Foundation
import TenantConfiguration
import Testing

@testable import StoreInspection

@Suite("The IAM policy that tenants' credentials need")
struct AccessPolicyTests {
    private static let key = "credentials: {access_key_id: AKIAEXAMPLE, secret_access_key: hush}, auth: none"

    private func role(_ arn: String, _ more: String = "") -> String {
        "credentials: {role_arn: \"\(arn)\"\(more)}, auth: none"
    }

    /// Sid, actions, resources of every statement, as Foundation reads them.
    private func read(_ policy: AccessPolicy) throws -> [String: (actions: Set<String>, resources: [String])] {
        struct List: Decodable {
            var texts: [String]
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                self.texts = try (try? [container.decode(String.self)]) ?? container.decode([String].self)
            }
        }
        struct Document: Decodable {
            struct Statement: Decodable {
                var Sid: String
                var Effect: String
                var Action: List
                var Resource: List
            }
            var Version: String
            var Statement: [Statement]
        }
        let document = try JSONDecoder().decode(Document.self, from: Data(policy.json.utf8))
        #expect(document.Version == "2012-10-17")
        #expect(document.Statement.allSatisfy { $0.Effect == "Allow" })
        // IAM takes nothing else in a Sid.
        #expect(document.Statement.allSatisfy { $0.Sid.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) } })
        return Dictionary(
            uniqueKeysWithValues: document.Statement.map { ($0.Sid, (Set($0.Action.texts), $0.Resource.texts)) }
        )
    }

    @Test("of one tenant, letter by letter")
    func one() throws {
        let policy = AccessPolicy(
            tenants: try tenants("a: {database: metrics, table: prometheus, \(Self.key)}"),
            account: "111122223333"
        )
        #expect(
            policy.json == """
                {
                  "Version": "2012-10-17",
                  "Statement": [
                    {
                      "Sid": "RequiredDiscovery",
                      "Effect": "Allow",
                      "Action": "timestream:DescribeEndpoints",
                      "Resource": "*"
                    },
                    {
                      "Sid": "RequiredData",
                      "Effect": "Allow",
                      "Action": [
                        "timestream:WriteRecords",
                        "timestream:Select"
                      ],
                      "Resource": "arn:aws:timestream:eu-west-1:111122223333:database/metrics/table/prometheus"
                    },
                    {
                      "Sid": "RecommendedEndingQueries",
                      "Effect": "Allow",
                      "Action": "timestream:CancelQuery",
                      "Resource": "*"
                    },
                    {
                      "Sid": "RecommendedDescribing",
                      "Effect": "Allow",
                      "Action": "timestream:DescribeTable",
                      "Resource": "arn:aws:timestream:eu-west-1:111122223333:database/metrics/table/prometheus"
                    }
                  ]
                }
                """
        )
    }

    @Test("of several: each table once, in the file's order, with region, partition and account of its own")
    func several() throws {
        let policy = AccessPolicy(
            tenants: try tenants(
                """
                z: {database: metrics, table: one, shared_table: true, \(Self.key)}
                y: {database: metrics, table: one, shared_table: true, \(Self.key)}
                x: {database: metrics, table: two, region: cn-north-1, \(Self.key)}
                w: {database: metrics, table: six, region: us-gov-west-1, \(self.role("arn:aws-us-gov:iam::444455556666:role/x"))}
                """
            ),
            account: nil
        )
        let statements = try self.read(policy)
        let tables = [
            "arn:aws:timestream:eu-west-1:*:database/metrics/table/one",
            "arn:aws-cn:timestream:cn-north-1:*:database/metrics/table/two",
            "arn:aws-us-gov:timestream:us-gov-west-1:444455556666:database/metrics/table/six",
        ]
        #expect(statements["RequiredData"]?.resources == tables)
        #expect(statements["RecommendedDescribing"]?.resources == tables)
        #expect(statements.count == 4)
    }

    @Test("of tenants whose tables may be made, and of no other, allows to make them")
    func making() throws {
        let policy = AccessPolicy(
            tenants: try tenants(
                """
                a: {database: metrics, table: one, create_missing: {}, \(Self.key)}
                b: {database: metrics, table: two, create_missing: {}, \(Self.key)}
                c: {database: others, table: one, \(Self.key)}
                """
            ),
            account: nil
        )
        let statements = try self.read(policy)
        #expect(statements["RequiredMakingTables"]?.actions == ["timestream:CreateTable"])
        #expect(
            statements["RequiredMakingTables"]?.resources == [
                "arn:aws:timestream:eu-west-1:*:database/metrics/table/one",
                "arn:aws:timestream:eu-west-1:*:database/metrics/table/two",
            ]
        )
        #expect(statements["RequiredMakingDatabases"]?.actions == ["timestream:CreateDatabase"])
        #expect(
            statements["RequiredMakingDatabases"]?.resources == ["arn:aws:timestream:eu-west-1:*:database/metrics"]
        )
    }

    @Test("needs no discovery where both endpoints are configured, and only there")
    func endpoints() throws {
        let both =
            "backend: aws, region: eu-west-1, write_endpoint: \"https://w.example\", query_endpoint: \"https://q.example\""
        let one = "backend: aws, region: eu-west-1, write_endpoint: \"https://w.example\""
        let entry = "a: {database: metrics, table: one, \(Self.key)}"
        let without = AccessPolicy(tenants: try tenants(entry, timestream: both), account: nil)
        let with = AccessPolicy(tenants: try tenants(entry, timestream: one), account: nil)
        #expect(try self.read(without)["RequiredDiscovery"] == nil)
        #expect(try self.read(with)["RequiredDiscovery"]?.resources == ["*"])
    }

    @Test("of whoever assumes the roles names the first of each chain, and tags where there are any")
    func assuming() throws {
        let hub = "arn:aws:iam::444455556666:role/hub"
        let list = try tenants(
            """
            a: {database: metrics, table: one, \(self.role("arn:aws:iam::111122223333:role/a", ", tags: {team: a}"))}
            b: {database: metrics, table: two, \(self.role("arn:aws:iam::111122223333:role/b", ", source: {role_arn: \"\(hub)\"}"))}
            c: {database: metrics, table: six, \(self.role("arn:aws:iam::111122223333:role/a", ", tags: {team: c}"))}
            d: {database: metrics, table: ten, \(Self.key)}
            """
        )
        let statements = try self.read(try #require(AccessPolicy.assuming(rolesOf: list)))
        #expect(statements["RequiredAssuming"]?.actions == ["sts:AssumeRole"])
        #expect(statements["RequiredAssuming"]?.resources == ["arn:aws:iam::111122223333:role/a", hub])
        #expect(statements["RequiredTagging"]?.actions == ["sts:TagSession"])
        #expect(statements["RequiredTagging"]?.resources == ["arn:aws:iam::111122223333:role/a"])
        #expect(AccessPolicy.assuming(rolesOf: Array(list.suffix(1))) == nil)
    }

    @Test("is counted as IAM counts, without blanks")
    func count() throws {
        let entries = (0..<60).map { "t\($0): {database: metrics, table: prometheus\($0), \(Self.key)}" }
        let policy = AccessPolicy(tenants: try tenants(entries.joined(separator: "\n")), account: nil)
        let object = try JSONSerialization.jsonObject(with: Data(policy.json.utf8))
        let compact = try JSONSerialization.data(withJSONObject: object, options: .withoutEscapingSlashes)
        #expect(policy.characterCount == compact.count)
        #expect(policy.characterCount > AccessPolicy.managedPolicyCharacters)
    }
}
