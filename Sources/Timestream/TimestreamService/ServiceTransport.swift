import Common
import Logging
import RequestSigning
import TimestreamModel
import UpstreamHTTP

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sends single calls: frames, signs, sends, and reads what the answer's status says. Knows no retries.
struct ServiceTransport: Sendable {
    let region: String
    let credentials: any CredentialSource
    let upstream: UpstreamClient
    let signer: RequestSigner
    let metrics: ServiceMetrics
    let logger: Logger

    /// One try of an operation.
    ///
    /// - Returns: the body of a 200.
    func send(
        _ operation: ServiceOperation,
        to url: String,
        body: FrozenBytes,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> [UInt8] {
        let start = ContinuousClock.now
        do throws(TimestreamError) {
            let answer = try await self.exchange(operation, url, body, deadline)
            self.note(operation, nil, ContinuousClock.now - start)
            return answer
        } catch {
            self.note(operation, error, ContinuousClock.now - start)
            throw error
        }
    }

    private func note(_ operation: ServiceOperation, _ error: TimestreamError?, _ duration: Duration) {
        self.metrics.note(operation, error?.code, duration)
        self.logger.debug(
            "call to Timestream",
            metadata: [
                "operation": .string(operation.rawValue),
                LogKey.errorCode: .string(error?.code.rawValue ?? "none"),
                LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
            ]
        )
    }

    private func exchange(
        _ operation: ServiceOperation,
        _ url: String,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> [UInt8] {
        let key = try await self.credentials.accessKey()
        let (host, target) = Self.split(url)
        var headers: [(name: String, value: String)] = [
            ("content-type", "application/x-amz-json-1.0"),
            ("host", host),
            ("x-amz-target", "Timestream_20181101.\(operation.rawValue)"),
        ]
        headers += self.signer.sign(
            SignableRequest(method: "POST", target: target, headers: headers),
            body: body,
            key: key,
            region: self.region,
            at: Int64(time(nil))
        )
        let answer: UpstreamResponse
        do throws(UpstreamError) {
            answer = try await self.upstream.send(
                UpstreamRequest(method: "POST", url: url, headers: headers, body: body),
                deadline: deadline
            )
        } catch { throw TimestreamError(error) }
        guard answer.status == 200 else { throw TimestreamError(answer: answer) }
        return answer.body
    }

    /// Host (with port) and path of an absolute URL.
    static func split(_ url: String) -> (host: String, target: String) {
        let afterScheme = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        guard let slash = afterScheme.firstIndex(of: "/") else { return (String(afterScheme), "/") }
        return (String(afterScheme[..<slash]), String(afterScheme[slash...]))
    }
}
