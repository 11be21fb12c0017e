"""What a sender is answered when Timestream fails, and what it costs others."""

import http.server
import json
import threading
import time

import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
GOOD = {"RecordsIngested": {"Total": 1, "MemoryStore": 1, "MagneticStore": 0}}


def fault(status, name, **members):
    return status, {"__type": f"com.amazonaws.timestream.v20181101#{name}", "Message": "the store's own words"} | members


class Store(http.server.BaseHTTPRequestHandler):
    """Answers each table's calls as its script says: (status, body), or a function of the request that makes one."""

    protocol_version = "HTTP/1.1"
    scripts = {}
    calls = {}

    def do_POST(self):  # noqa: N802
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        table = message.get("TableName") or message["QueryString"].partition('"."')[2].partition('"')[0]
        number = Store.calls[table] = Store.calls.get(table, 0) + 1
        answer = Store.scripts.get(table, (200, GOOD))
        if callable(answer):
            answer = answer(number, message)
        if answer is None:
            self.close_connection = True
            return
        status, body = answer
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


CASES = {
    "throttled": (fault(429, "ThrottlingException"), 503, "throttles"),
    "broken": (fault(500, "InternalServerException"), 503, "failed"),
    "garbage": ((200, b"<html>"), 503, "failed"),
    "denied": (fault(403, "AccessDeniedException"), 503, "credentials"),
    "absent": (fault(404, "ResourceNotFoundException"), 503, "does not exist"),
    "quota": (fault(402, "ServiceQuotaExceededException"), 503, "quota"),
    "unsigned": (fault(403, "InvalidSignatureException"), 503, "credentials"),
    "hangup": (lambda *_: None, 503, "cannot be reached"),
    "rejecting": (
        fault(419, "RejectedRecordsException", RejectedRecords=[{"RecordIndex": 1, "Reason": "too old"}]),
        400, "rejected_by_store=1",
    ),
    "flaky": (lambda number, _: fault(500, "InternalServerException") if number < 3 else (200, GOOD), 204, ""),
    "picky": (
        lambda _, message: (
            fault(400, "ValidationException")
            if any(record.get("MeasureValue") == "13" for record in message["Records"])
            else (200, GOOD)
        ),
        400, "invalid_for_store=1",
    ),
    "mixed": (
        lambda _, message: (
            fault(500, "InternalServerException")
            if "special" in message.get("CommonAttributes", {}).get("MeasureName", "")
            else fault(419, "RejectedRecordsException", RejectedRecords=[{"RecordIndex": 0, "Reason": "x"}])
        ),
        503, "failed",
    ),
    "fine": ((200, GOOD), 204, ""),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    tenants = "".join(
        f"""
{name}:
  database: production
  table: {name}
  credentials: {{access_key_id: AKID{name.upper()}, secret_access_key: very-secret-{name}}}
  auth: none
  limits: {{request_deadline: 3s, max_wait: 1s}}
"""
        for name in [*CASES, "hanging"]
    )
    Store.scripts = {name: script for name, (script, *_) in CASES.items()}
    with Gateway(
        tmp_path_factory.mktemp("faults"), tenants=tenants,
        timestream=f'backend: aws, region: us-east-1, write_endpoint: "{endpoint}", query_endpoint: "{endpoint}"',
    ) as gateway:
        yield gateway
    server.shutdown()


SERIES = [({"__name__": "m", "n": str(n)}, [(float(n), NOW)]) for n in range(20)]


@pytest.mark.parametrize("name", CASES)
def test_writes(gateway, name):
    _, status, words = CASES[name]
    series = SERIES + ([({"__name__": "m", "n": "s"}, [(protocol.STALE, NOW)])] if name == "mixed" else [])
    started = time.monotonic()
    answer = gateway.write(f"/t/{name}/write", series)
    assert time.monotonic() - started < 5, "within the request's deadline"
    assert answer.status_code == status, answer.text
    assert words in answer.text
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    for leak in ("own words", "very-secret", "AKID", "Exception", "production"):
        assert leak not in answer.text


def test_partial_losses_are_counted(gateway):
    answer = gateway.write("/t/rejecting/write", SERIES)
    assert "stored 19 of 20" in answer.text and "too old" in answer.text
    answer = gateway.write("/t/picky/write", SERIES)
    assert "stored 19 of 20" in answer.text and "timeseries[13]" in answer.text, answer.text


def test_operator_faults_are_logged_with_the_stores_words_but_no_secret(gateway):
    gateway.write("/t/denied/write", SERIES)
    lines = [line for line in gateway.log().splitlines() if "level=error" in line and "tenant=denied" in line]
    assert lines and "own words" in lines[0]
    assert "very-secret" not in gateway.log()
    assert gateway.metric("gateway_samples_failed_total", tenant="denied") >= 20


@pytest.mark.parametrize(("name", "status"), [("throttled", 503), ("broken", 503), ("denied", 503), ("hangup", 503)])
def test_reads(gateway, name, status):
    request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "m"))
    answer = gateway.read_raw(f"/t/{name}/read", request)
    assert answer.status_code == status, answer.text
    assert "SELECT" not in answer.text and "own words" not in answer.text


def test_a_hanging_store_ends_at_the_deadline_and_hurts_nobody_else(gateway):
    release = threading.Event()
    Store.scripts["hanging"] = lambda *_: release.wait(20) and (200, GOOD) or (200, GOOD)
    statuses = []

    def hang():
        statuses.append(gateway.write("/t/hanging/write", SERIES).status_code)

    threads = [threading.Thread(target=hang) for _ in range(40)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    assert gateway.write("/t/fine/write", SERIES).status_code == 204
    assert time.monotonic() - started < 2
    for thread in threads:
        thread.join(20)
    release.set()
    assert set(statuses) == {503}
    answer = gateway.read_raw("/t/hanging/read", protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "m")))
    assert answer.status_code in (200, 503)
