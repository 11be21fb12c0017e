"""TLS and HTTP as independent clients see them."""

import re
import subprocess

import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
TENANTS = """
payments:
  database: payments
  table: prometheus
  auth: {client_certificate: {san_uri: ["spiffe://test/payments"]}}
  limits: {write_requests_per_second: unlimited, samples_per_second: unlimited, concurrent_writes: unlimited}
demo:
  database: demo
  table: prometheus
  auth: none
  limits: {write_requests_per_second: unlimited, samples_per_second: unlimited, concurrent_writes: unlimited}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, pki):
    with Gateway(tmp_path_factory.mktemp("http"), tenants=TENANTS, tls=pki.tls) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    series = [({"__name__": "load", "n": str(n)}, [(float(n), NOW)]) for n in range(100)]
    path = tmp_path_factory.mktemp("body") / "body"
    path.write_bytes(protocol.encode(protocol.write_request(series)))
    return path


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_curl_writes_with_a_client_certificate(gateway, pki, body, version, tls):
    certificate, key = pki.payments
    result = subprocess.run(
        [
            "curl", "-sS", version, "--tlsv" + tls, "--tls-max", tls, "--cacert", pki.ca, "--cert", certificate,
            "--key", key, "-o", "/dev/null", "-w", "%{http_code} %{http_version}\n", "-H",
            "Content-Type: application/x-protobuf", "-H", "Content-Encoding: snappy", "--data-binary", f"@{body}",
            f"{gateway.url}/api/v1/write",
        ],
        capture_output=True, text=True, timeout=30, check=False,
    )
    expected = "204 2" if version == "--http2" else "204 1.1"
    assert result.stdout.strip() == expected, result.stderr


@pytest.mark.parametrize("tls", ["-tls1", "-tls1_1"])
def test_old_tls_is_refused(gateway, pki, tls):
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", tls, "-cipher", "ALL:@SECLEVEL=0"],
        input="", capture_output=True, text=True, timeout=20, check=False,
    )
    assert "alert protocol version" in result.stderr, result.stderr


@pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
def test_a_resumed_session_keeps_its_client(gateway, pki, tmp_path, tls):
    certificate, key = pki.payments
    session = tmp_path / "session"
    request = (
        "POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        "Content-Encoding: snappy\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\0"
    )

    def connect(*options):
        return subprocess.run(
            [
                "openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", pki.ca, "-cert", certificate,
                "-key", key, tls, "-ign_eof", *options,
            ],
            input=request, capture_output=True, text=True, timeout=20, check=False,
        ).stdout

    first = connect("-sess_out", session)
    assert "HTTP/1.1 204" in first and "\nReused" not in first
    second = connect("-sess_in", session)
    assert "\nReused" in second, second
    assert "HTTP/1.1 204" in second, "the identity of the first handshake still proves the tenant"


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_h2load_is_answered_every_time(gateway, body, version):
    options = ["--h1"] if version == "h1" else ["-m", "8"]
    result = subprocess.run(
        [
            "h2load", *options, "-n", "2000", "-c", "16", "-t", "1", "-d", body, "-H",
            "content-type: application/x-protobuf", "-H", "content-encoding: snappy",
            f"https://127.0.0.1:{gateway.port}/t/demo/api/v1/write",
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert re.search(r"2000 succeeded, 0 failed, 0 errored, 0 timeout", result.stdout), result.stdout
    assert re.search(r"status codes: 2000 2xx", result.stdout), result.stdout


def test_a_client_certificate_can_be_demanded(tmp_path, pki, body):
    tls = pki.tls.replace("client_auth: request", "client_auth: require")
    with Gateway(tmp_path, tenants=TENANTS, tls=tls) as gateway:
        result = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", pki.ca, "-ign_eof"],
            input="GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", capture_output=True, text=True,
            timeout=20, check=False,
        )
        assert "alert certificate required" in result.stderr, result.stderr
        assert "200 OK" not in result.stdout
        certificate, key = pki.payments
        assert gateway.write("/write", [({"__name__": "m"}, [(1.0, NOW)])], verify=pki.ca, cert=(certificate, key)).status_code == 204


def test_slow_handshakes_end(tmp_path, pki):
    import socket

    with Gateway(tmp_path, tenants=TENANTS, tls=pki.tls, server="timeouts: {handshake: 1s}") as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
            peer.sendall(b"\x16\x03\x01")
            assert peer.recv(100) == b""
