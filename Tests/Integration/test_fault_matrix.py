"""Every way a call to Timestream fails: what the sender is answered, how often it was tried, and what is counted."""

import email.utils
import time

import pytest

from support.faults import CLOSE, GOOD, NO_ROWS, RESET, Answer, FaultServer, Raw, error, tls_context
from support.gateway import Gateway
from support.pki import Authority
from support.process import eventually, free_port

NOW = 1_760_000_000_000
SERIES = [({"__name__": "m", "n": "0"}, [(1.0, NOW)])]
ARN = "arn:aws:timestream:us-east-1:111122223333:database/production/table/denied"
SKEW = 3600


def skewed(call):
    """As AWS does when its clock is an hour ahead."""
    signed = time.mktime(time.strptime(call.header("x-amz-date"), "%Y%m%dT%H%M%SZ")) - time.timezone
    if abs(signed - time.time() - SKEW) < 120:
        return Answer(200, GOOD)
    date = email.utils.formatdate(time.time() + SKEW, usegmt=True)
    return error(403, "InvalidSignatureException", "Signature expired: it is now earlier", headers={"Date": date})


def flaky(call):
    return error(500, "InternalServerException") if call.number < 3 else Answer(200, GOOD)


ONCE, SEVERAL = 1, None

# name: what the store does, status, words of the answer, tries, the error that is counted
CASES = {
    "fine": (Answer(200, GOOD), 204, "", ONCE, "none"),
    "unhurried": (Answer(200, GOOD, delay=0.3), 204, "", ONCE, "none"),
    "flaky": (flaky, 204, "", 3, "internal_server"),
    "invalid": (error(400, "ValidationException"), 400, "invalid_for_store=1", ONCE, "validation"),
    "quota": (error(402, "ServiceQuotaExceededException"), 503, "quota", ONCE, "service_quota_exceeded"),
    "denied": (
        error(403, "AccessDeniedException", f"User: arn:aws:iam::111122223333:user/x is not authorized to perform: "
              f"timestream:WriteRecords on resource: {ARN} because no identity-based policy allows it"),
        503, "credentials", ONCE, "access_denied",
    ),
    "closed": (
        error(403, "AccessDeniedException", "Only existing Timestream for LiveAnalytics customers can access the service."),
        503, "credentials", ONCE, "access_denied",
    ),
    "absent": (error(404, "ResourceNotFoundException"), 503, "does not exist", ONCE, "resource_not_found"),
    "unknown": (error(404, "UnknownOperationException"), 503, "failed", ONCE, "unknown_operation"),
    "conflict": (error(409, "ConflictException"), 503, "failed", ONCE, "conflict"),
    "rejected": (
        error(419, "RejectedRecordsException", RejectedRecords=[
            {"RecordIndex": 0, "Reason": "The record timestamp is outside the time range [a, b) of the memory store."}]),
        400, "rejected_by_store=1; timeseries[0]", ONCE, "rejected_records",
    ),
    "moved": (error(421, "InvalidEndpointException"), 503, "failed", ONCE, "invalid_endpoint"),
    "throttled": (error(429, "ThrottlingException"), 503, "throttles", SEVERAL, "throttling"),
    "broken": (error(500, "InternalServerException"), 503, "failed", SEVERAL, "internal_server"),
    "gateway502": (Answer(502, b"<html>"), 503, "failed", SEVERAL, "internal_server"),
    "gateway503": (Answer(503), 503, "failed", SEVERAL, "internal_server"),
    "gateway504": (Answer(504, b"{"), 503, "failed", SEVERAL, "internal_server"),
    "expired": (error(403, "ExpiredTokenException"), 503, "credentials", ONCE, "signature"),
    "stranger": (error(403, "UnrecognizedClientException"), 503, "credentials", ONCE, "signature"),
    "mismatch": (error(403, "InvalidSignatureException"), 503, "credentials", ONCE, "signature"),
    "skewed": (skewed, 204, "", 2, "signature"),
    "hangup": (CLOSE, 503, "cannot be reached", SEVERAL, "network"),
    "reset": (RESET, 503, "cannot be reached", SEVERAL, "network"),
    "halfhead": (Answer(200, GOOD, cut=20), 503, "cannot be reached", SEVERAL, "network"),
    "halfbody": (Answer(200, GOOD, cut=110), 503, "cannot be reached", SEVERAL, "network"),
    "nohttp": (Raw(b"hello\r\n"), 503, "failed", SEVERAL, "malformed_response"),
    "nojson": (Answer(200, b"<html>"), 503, "failed", SEVERAL, "malformed_response"),
    "empty": (Answer(200), 503, "failed", SEVERAL, "malformed_response"),
    "slow": (Answer(200, GOOD, delay=30), 503, "deadline", ONCE, "timed_out"),
}
# These never reach a server that answers.
UNREACHABLE = {
    "wrongca": ("cannot be reached", ONCE),
    "wrongname": ("cannot be reached", ONCE),
    "plainserver": ("cannot be reached", SEVERAL),
    "noname": ("cannot be reached", SEVERAL),
    "refused": ("cannot be reached", SEVERAL),
}


def script(call):
    if call.operation != "WriteRecords":
        return Answer(200, NO_ROWS)
    behaviour = CASES[call.message["TableName"]][0]
    return behaviour(call) if callable(behaviour) else behaviour


@pytest.fixture(scope="module")
def store():
    with FaultServer(script) as store:
        yield store


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("matrix")
    ours, foreign = Authority(folder / "ours", "Ours"), Authority(folder / "foreign", "Foreign")
    foreign_server = foreign.issue("server", san="DNS:localhost", usage="serverAuth")
    misnamed_server = ours.issue("server", san="DNS:other.test", usage="serverAuth")
    with (
        FaultServer(script, tls=tls_context(*foreign_server)) as wrongca,
        FaultServer(script, tls=tls_context(*misnamed_server)) as wrongname,
    ):
        endpoints = {
            "wrongca": f"https://localhost:{wrongca.port}",
            "wrongname": f"https://localhost:{wrongname.port}",
            "plainserver": f"https://localhost:{store.port}",
            "noname": "http://nobody.invalid",
            "refused": f"http://127.0.0.1:{free_port()}",
        }
        assert endpoints.keys() == UNREACHABLE.keys()
        tenants = "".join(
            f"""
{name}:
  database: production
  table: {name}
  credentials: {{access_key_id: AKID{name.upper()}, secret_access_key: very-secret-{name}}}
  auth: none
  write_endpoint: {endpoints.get(name, store.url)}
  query_endpoint: {endpoints.get(name, store.url)}
"""
            for name in [*CASES, *UNREACHABLE]
        )
        with Gateway(
            folder, tenants=tenants, timestream=f"backend: aws, region: us-east-1, ca_bundle: {ours.certificate}",
            defaults="limits: {request_deadline: 1500ms, max_wait: 1s}",
        ) as gateway:
            yield gateway
        assert wrongca.calls == [] and wrongname.calls == [], "nothing is sent to a server that is not verified"


def check_answer(answer, status, words):
    assert answer.status_code == status, answer.text
    assert words in answer.text
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    for leak in ("own words", "very-secret", "AKID", "Exception", "arn:", "127.0.0.1", "localhost"):
        assert leak not in answer.text


def counted(gateway, name, outcome):
    return gateway.metric("gateway_timestream_calls_total", tenant=name, operation="WriteRecords", error=outcome) or 0


@pytest.mark.parametrize("name", CASES)
def test_each_fault_of_the_service(gateway, store, name):
    _, status, words, tries, outcome = CASES[name]
    started = time.monotonic()
    check_answer(gateway.write(f"/t/{name}/write", SERIES), status, words)
    assert time.monotonic() - started < 4, "within the request's deadline"

    sent = store.count("AKID" + name.upper())
    if tries is not None:
        assert sent == tries
    elif outcome in ("network", "malformed_response"):
        assert sent >= 2
    else:
        assert 2 <= sent <= 11
    assert gateway.metric("gateway_timestream_retries_total", tenant=name) >= sent - 1 - (outcome == "network") * sent
    failed = sent - (status == 204)
    assert counted(gateway, name, "none") == (1 if status == 204 else 0)
    if outcome == "network":
        # libcurl itself sends again what a kept connection has lost before any answer.
        assert 1 <= counted(gateway, name, outcome) <= failed
    elif outcome != "none":
        assert counted(gateway, name, outcome) == failed
    assert gateway.metric("gateway_samples_stored_total", tenant=name) == (status == 204)
    assert gateway.metric("gateway_samples_failed_total", tenant=name) == (status == 503)


@pytest.mark.parametrize("name", UNREACHABLE)
def test_each_way_not_to_reach_it(gateway, name):
    words, tries = UNREACHABLE[name]
    check_answer(gateway.write(f"/t/{name}/write", SERIES), 503, words)
    made = counted(gateway, name, "network") + counted(gateway, name, "timed_out")
    assert made == tries if tries is not None else made >= 1


def log_line(gateway, name):
    return next(line for line in gateway.log().splitlines() if {f"tenant={name}", "level=error"} <= set(line.split()))


def test_the_log_says_what_to_mend(gateway):
    for name in ("denied", "closed", "quota", "absent"):
        gateway.write(f"/t/{name}/write", SERIES)
    denied = log_line(gateway, "denied")
    assert "iam.action=timestream:WriteRecords" in denied and ARN in denied and "Allow" in denied
    closed = log_line(gateway, "closed")
    assert "closed to new customers" in closed and "iam.action" not in closed
    assert "quota" in log_line(gateway, "quota") and "database and table" in log_line(gateway, "absent")
    assert "very-secret" not in gateway.log()


def test_a_wrong_clock_is_told_and_corrected(gateway, store):
    assert gateway.write("/t/skewed/write", SERIES).status_code == 204
    before = store.count("AKIDSKEWED")
    assert gateway.write("/t/skewed/write", SERIES).status_code == 204
    assert store.count("AKIDSKEWED") == before + 1, "the second call is signed for the store's time at once"
    assert abs(gateway.metric("gateway_timestream_clock_skew_seconds", tenant="skewed") - SKEW) <= 5
    assert gateway.metric("gateway_timestream_clock_skew_seconds", tenant="fine") == 0
    assert "The clock differs from AWS" in gateway.log()


def test_rejected_records_are_counted_by_reason(gateway):
    gateway.write("/t/rejected/write", SERIES)
    assert gateway.metric("gateway_timestream_records_rejected_total", tenant="rejected", reason="time_window") >= 1
    assert gateway.metric("gateway_timestream_records_rejected_total", tenant="rejected", reason="other") == 0


def test_throttling_lowers_the_limit_but_never_stops_the_load(gateway, store):
    for _ in range(3):
        before = store.count("AKIDTHROTTLED")
        assert gateway.write("/t/throttled/write", SERIES).status_code == 503
        assert store.count("AKIDTHROTTLED") > before
    assert 1 <= gateway.metric("gateway_timestream_concurrency_limit", tenant="throttled", api="write") < 256
    assert gateway.metric("gateway_timestream_concurrency_limit", tenant="fine", api="write") == 256
    assert gateway.metric("gateway_timestream_circuits_open", tenant="throttled", endpoint="write") == 0


def test_a_circuit_opens_answers_at_once_hurts_nobody_else_and_closes_again(gateway, store):
    def is_open():
        return "it is tried again in a moment" in gateway.write("/t/gateway503/write", SERIES).text

    eventually(is_open, within=30, what="the circuit opens")
    assert gateway.metric("gateway_timestream_circuit_openings_total", tenant="gateway503", endpoint="write") >= 1
    before = store.count("AKIDGATEWAY503")
    started = time.monotonic()
    answers = [gateway.write("/t/gateway503/write", SERIES) for _ in range(20)]
    assert time.monotonic() - started < 3
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    # At most a probe, and what that probe's request may try again.
    assert store.count("AKIDGATEWAY503") - before <= 4
    assert gateway.write("/t/fine/write", SERIES).status_code == 204

    behaviour = CASES["gateway503"]
    CASES["gateway503"] = (Answer(200, GOOD), *behaviour[1:])
    try:
        eventually(lambda: gateway.write("/t/gateway503/write", SERIES).status_code == 204, within=40, what="it closes")
        assert gateway.metric("gateway_timestream_circuits_open", tenant="gateway503", endpoint="write") == 0
    finally:
        CASES["gateway503"] = behaviour
