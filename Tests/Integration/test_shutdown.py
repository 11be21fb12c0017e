"""How the process ends: what is under way is finished, nothing new begins, and all of it is bounded."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
import subprocess
import threading

import pytest
import requests

from support import lambda_runtime, protocol
from support.faults import GOOD, Answer, FaultServer
from support.gateway import BINARY, WRITE_HEADERS, Gateway
from support.process import Child, eventually, free_port, http_get

NOW = 1_760_000_000_000
SERIES = [({"__name__": "m"}, [(1.0, NOW)])]
TENANTS = """
demo:
  database: metrics
  table: prometheus
  credentials: {access_key_id: AKIDDEMO, secret_access_key: example}
  auth: none
"""


class HeldStore(FaultServer):
    """Answers no write before `release`."""

    def __init__(self):
        self.released = threading.Event()

        async def script(_):
            while not self.released.is_set():
                await asyncio.sleep(0.02)
            return Answer(200, GOOD)

        super().__init__(script)

    def release(self):
        self.released.set()

    def wait_for_a_write(self):
        eventually(lambda: any(call.operation == "WriteRecords" for call in self.calls), what="a write at the store")


@pytest.fixture
def store():
    with HeldStore() as store:
        yield store


def start(folder, store, **options):
    endpoints = f'backend: aws, region: us-east-1, write_endpoint: "{store.url}", query_endpoint: "{store.url}"'
    return Gateway(folder, tenants=TENANTS, timestream=endpoints, **options).start()


class Under:
    """What a call on a thread of its own came to."""

    def __init__(self, call):
        self.value = self.error = None

        def run():
            try:
                self.value = call()
            except Exception as error:
                self.error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def is_over(self):
        return not self._thread.is_alive()

    def result(self):
        self._thread.join(30)
        assert self.is_over
        return self.value


def is_refused(port):
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_write_at_a_slow_store_is_finished_and_nothing_new_begins(tmp_path, store, number):
    gateway = start(tmp_path, store)
    admin = f"http://127.0.0.1:{gateway.admin_port}"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as idle:
        idle.sendall(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        write = Under(lambda: gateway.write("/t/demo/write", SERIES))
        store.wait_for_a_write()

        os.kill(gateway.child.process.pid, number)
        eventually(lambda: http_get(f"{admin}/-/ready") == (503, "draining\n"), what="it is not ready")
        assert http_get(f"{admin}/-/healthy")[0] == 200
        eventually(lambda: is_refused(gateway.port), what="new connections are refused")
        # The one that was open, and about nothing, is closed.
        assert idle.recv(4096) == b""
    assert gateway.child.is_running() and not write.is_over

    store.release()
    answer = write.result()
    assert answer is not None, write.error
    assert answer.status_code == 204 and answer.headers["Connection"] == "close"
    assert gateway.child.process.wait(20) == 0
    assert "message=draining" in gateway.log() and "message=stopped" in gateway.log()


def test_http2_connections_are_told_and_finish_their_streams(tmp_path, store, pki):
    gateway = start(tmp_path, store, tls=pki.tls)
    body = tmp_path / "body"
    body.write_bytes(protocol.encode(protocol.write_request(SERIES)))
    headers = [f"-H{name}: {value}" for name, value in WRITE_HEADERS.items()]
    client = Child(
        ["nghttp", "-v", "--no-verify-peer", "-d", body, *headers, f"https://localhost:{gateway.port}/t/demo/write"],
        tmp_path / "nghttp.log",
    )
    store.wait_for_a_write()
    os.kill(gateway.child.process.pid, signal.SIGTERM)
    eventually(lambda: "recv GOAWAY frame" in client.log(), what="GOAWAY while the write is under way")
    assert ":status:" not in client.log()
    store.release()
    assert client.process.wait(20) == 0
    assert ":status: 204" in client.log() and "error_code=NO_ERROR(0x00)" in client.log()
    assert gateway.child.process.wait(20) == 0


@pytest.mark.parametrize("second, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(tmp_path, store, second, code):
    gateway = start(tmp_path, store)
    write = Under(lambda: gateway.write("/t/demo/write", SERIES))
    store.wait_for_a_write()
    os.kill(gateway.child.process.pid, signal.SIGTERM)
    eventually(lambda: "message=draining" in gateway.log(), what="it drains")
    os.kill(gateway.child.process.pid, second)
    assert gateway.child.process.wait(10) == code
    assert write.result() is None and isinstance(write.error, requests.exceptions.ConnectionError)
    assert "a second signal" in gateway.log() and "message=stopped" not in gateway.log()


def test_what_is_not_finished_when_the_time_is_over_is_cut(tmp_path, store):
    gateway = start(tmp_path, store, server="timeouts: {drain: 1s}")
    write = Under(lambda: gateway.write("/t/demo/write", SERIES))
    store.wait_for_a_write()
    # Well before the request's own deadline of 25 s.
    assert gateway.child.stop(within=15) == 0
    assert write.result() is None and isinstance(write.error, requests.exceptions.ConnectionError)
    assert "drain timed out" in gateway.log() and "message=stopped" in gateway.log()


def test_a_half_sent_request_has_the_drain_to_come_in(tmp_path, store):
    store.release()
    gateway = start(tmp_path, store)
    body = protocol.encode(protocol.write_request(SERIES))
    headers = "".join(f"{name}: {value}\r\n" for name, value in WRITE_HEADERS.items())
    head = f"POST /t/demo/write HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
        client.sendall(head.encode() + body[:5])
        eventually(lambda: gateway.metric("gateway_tenant_concurrency", tenant="demo", kind="write") == 1, what="admitted")
        os.kill(gateway.child.process.pid, signal.SIGTERM)
        eventually(lambda: "message=draining" in gateway.log(), what="it drains")
        client.sendall(body[5:])
        assert client.recv(4096).startswith(b"HTTP/1.1 204 ")
    assert gateway.child.process.wait(20) == 0


# The local engine alone


def start_engine(folder):
    port = free_port()
    child = Child(
        [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data"], folder / "engine.log"
    )
    eventually(lambda: "message=serving" in child.log(), what="the engine serves")
    return child, port


def half_a_call(port):
    """A call whose second half is still to come; the socket, and that half."""
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Amz-Target: Timestream_20181101.DescribeEndpoints\r\n"
    client.sendall(head.encode() + b"Content-Type: application/x-amz-json-1.0\r\n\r\n{")
    return client, b"}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_local_engine_finishes_what_is_under_way(tmp_path, number):
    child, port = start_engine(tmp_path)
    client, rest = half_a_call(port)
    with client:
        # A second connection, answered, proves that the first has been taken.
        assert http_get(f"http://127.0.0.1:{port}")[0] != 0
        os.kill(child.process.pid, number)
        eventually(lambda: is_refused(port), what="new connections are refused")
        client.sendall(rest)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert child.process.wait(20) == 0
    assert "message=draining" in child.log() and "message=stopped" in child.log()


def test_the_local_engine_is_ended_at_once_by_a_second_signal(tmp_path):
    child, port = start_engine(tmp_path)
    client, _ = half_a_call(port)
    with client:
        assert http_get(f"http://127.0.0.1:{port}")[0] != 0
        os.kill(child.process.pid, signal.SIGTERM)
        eventually(lambda: "message=draining" in child.log(), what="it drains")
        os.kill(child.process.pid, signal.SIGTERM)
        assert child.process.wait(4) == 143


# A function of AWS Lambda


def start_function(folder, store):
    variables = {
        "default_database": "metrics", "default_table": "prometheus", "write_base_endpoint": store.url,
        "query_base_endpoint": store.url, "AWS_ACCESS_KEY_ID": "ASIAFUNCTION", "AWS_SECRET_ACCESS_KEY": "example",
    }
    return lambda_runtime.Function(folder, BINARY, variables)


def write_event():
    event = lambda_runtime.event("http-api-2.0")
    credentials = base64.b64encode(b"AKIDCALLER:secret-of-the-caller").decode()
    event["headers"] |= {name.lower(): value for name, value in WRITE_HEADERS.items()}
    event["headers"]["authorization"] = f"Basic {credentials}"
    event["body"] = base64.b64encode(protocol.encode(protocol.write_request(SERIES))).decode()
    event["isBase64Encoded"] = True
    return event


def test_a_function_answers_the_event_that_it_has_and_ends(tmp_path, store):
    with start_function(tmp_path, store) as function:
        answer = Under(lambda: function.invoke(write_event()))
        store.wait_for_a_write()
        os.kill(function.child.process.pid, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            function.child.process.wait(0.5)
        assert not answer.is_over
        store.release()
        kind, body = answer.result()
        assert (kind, body["statusCode"]) == ("response", 204)
        assert function.child.process.wait(20) == 0


def test_a_function_without_an_event_ends_at_once(tmp_path, store):
    store.release()
    with start_function(tmp_path, store) as function:
        assert function.invoke(write_event())[1]["statusCode"] == 204
        os.kill(function.child.process.pid, signal.SIGTERM)
        assert function.child.process.wait(10) == 0


def test_a_function_is_ended_by_a_second_signal(tmp_path, store):
    with start_function(tmp_path, store) as function:
        answer = Under(lambda: function.invoke(write_event(), timeout=5))
        store.wait_for_a_write()
        # Two of different numbers: of one number that is not taken yet the kernel keeps only one.
        os.kill(function.child.process.pid, signal.SIGTERM)
        os.kill(function.child.process.pid, signal.SIGINT)
        assert function.child.process.wait(4) in (130, 143)
        assert answer.result() is None


# What systemd is told


class NotifySocket:
    """As systemd's end of `sd_notify`."""

    def __init__(self, name):
        self.variable = name if not name.startswith("\0") else "@" + name[1:]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name)
        self._socket.settimeout(20)

    def next(self):
        """The next message's fields."""
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_when_it_serves_reloads_and_ends(tmp_path, monkeypatch, kind):
    name = str(tmp_path / "notify") if kind == "path" else f"\0gateway-test-{os.getpid()}"
    with NotifySocket(name) as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", systemd.variable)
        gateway = Gateway(tmp_path, tenants="demo: {database: metrics, table: prometheus, auth: none}")
        with gateway:
            assert systemd.next() == {"READY": "1", "STATUS": "serving, tenants: 1"}

            gateway.config.write_text(gateway.config.read_text() + "  more: {database: metrics, table: more, auth: none}\n")
            os.kill(gateway.child.process.pid, signal.SIGHUP)
            reloading = systemd.next()
            assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
            assert systemd.next() == {"READY": "1", "STATUS": "serving, tenants: 2"}

            gateway.config.write_text("nonsense")
            os.kill(gateway.child.process.pid, signal.SIGHUP)
            assert systemd.next()["RELOADING"] == "1"
            failed = systemd.next()
            assert failed["READY"] == "1" and failed["STATUS"].startswith("serving, tenants: 2; the last reload failed")

            os.kill(gateway.child.process.pid, signal.SIGTERM)
            ending = systemd.next()
            # The time of the drain and some more, so that it may be longer than the unit says.
            assert ending["STOPPING"] == "1" and ending["EXTEND_TIMEOUT_USEC"] == "45000000"
            assert gateway.child.process.wait(20) == 0


def test_a_service_manager_that_is_gone_is_no_reason_not_to_serve(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with Gateway(tmp_path, tenants="demo: {database: metrics, table: prometheus, auth: none}") as gateway:
        eventually(lambda: "the service manager could not be told" in gateway.log(), what="it is told")
        assert http_get(f"{gateway.url}/-/ready")[0] == 200
