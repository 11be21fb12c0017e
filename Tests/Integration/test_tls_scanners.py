"""What testssl.sh and sslyze find in the listener: nothing of MEDIUM or above, but for what a private CA brings along."""

import json
import shutil
import socket
import ssl
import subprocess
import sys

import pytest

from support.gateway import Gateway
from support.pki import Authority

TENANTS = "demo: {database: scanned, table: prometheus, auth: none}"

# Of a certificate that was made for this test by a CA of its own, which has neither OCSP nor lists of its own to name.
OF_A_PRIVATE_CA = {
    "cert_chain_of_trust", "cert_expirationStatus", "cert_notAfter", "cert_revocation", "cert_trust", "OCSP_stapling",
    "DNS_CAArecord", "overall_grade",
}
# Says of the scanner's own OpenSSL, and of its client, what it cannot try; sslyze tries resumption.
OF_THE_SCANNER = {"engine_problem", "sessionresumption_ticket", "sessionresumption_ID"}
OF_A_BROWSER = {"HSTS"}


@pytest.fixture(scope="module", params=["request", "require"])
def gateway(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanned")
    authority = Authority(folder / "ca", "Scanned CA")
    server = authority.issue("server", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth", days=90)
    client = authority.issue("client", san="URI:spiffe://test/client")
    tls = (
        f"certificate: {server[0]}, private_key: {server[1]}, client_ca: {authority.certificate}, "
        f"client_auth: {request.param}"
    )
    with Gateway(folder / "gateway", tenants=TENANTS, tls=tls) as gateway:
        gateway.authority, gateway.client, gateway.mode = authority, client, request.param
        yield gateway


def findings(node):
    if isinstance(node, list):
        for item in node:
            yield from findings(item)
    elif isinstance(node, dict) and "severity" in node:
        yield node["id"], node["severity"], node["finding"]
    elif isinstance(node, dict):
        for item in node.values():
            yield from findings(item)


# Not with certificates demanded: it has none to show, and takes the alert for a broken connection.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("gateway", ["request"], indirect=True)
def test_testssl(gateway, tmp_path):
    assert shutil.which("testssl"), "scripts/install-packages test brings it"
    report = tmp_path / "testssl.json"
    # Protocols, cipher suites, forward secrecy, preferences, defaults and vulnerabilities: everything but the long lists
    # of single suites and of clients' habits.
    result = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "one", "--nodns", "min", "-p", "-s", "-f", "-P", "-S", "-U",
         "--severity", "MEDIUM", "--jsonfile-pretty", report, "--add-ca", gateway.authority.certificate,
         f"localhost:{gateway.port}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=840, check=False,
    )
    # It has looked, to the end: a scan that reached nobody finds nothing, too.
    assert "TLS 1.3" in result.stdout and "offered (OK): final" in result.stdout, result.stdout + result.stderr
    assert "Testing vulnerabilities" in result.stdout and "LUCKY13" in result.stdout, result.stdout
    found = set(findings(json.loads(report.read_text())))
    serious = {entry for entry in found if entry[1] in ("MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")}
    unexpected = {entry for entry in serious if entry[0] not in OF_A_PRIVATE_CA | OF_THE_SCANNER | OF_A_BROWSER}
    assert not unexpected, unexpected


@pytest.mark.timeout(200)
def test_sslyze_and_mozillas_recommendation(gateway, tmp_path):
    report = tmp_path / "sslyze.json"
    command = [sys.executable, "-m", "sslyze", "--json_out", report, "--mozilla_config", "intermediate",
               f"localhost:{gateway.port}"]
    if gateway.mode == "require":
        command[3:3] = ["--cert", gateway.client[0], "--key", gateway.client[1]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    (scan,) = json.loads(report.read_text())["server_scan_results"]
    assert scan["scan_status"] == "COMPLETED" and scan["connectivity_status"] == "COMPLETED", result.stdout
    commands = scan["scan_result"]

    def of(name):
        assert commands[name]["status"] == "COMPLETED", commands[name]["error_trace"] or commands[name]
        return commands[name]["result"]

    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert of(f"{version}_cipher_suites")["accepted_cipher_suites"] == []
    for version in ("tls_1_2", "tls_1_3"):
        suites = [suite["cipher_suite"]["name"] for suite in of(f"{version}_cipher_suites")["accepted_cipher_suites"]]
        assert suites and all("GCM" in suite or "CHACHA20" in suite for suite in suites)
        assert version == "tls_1_3" or all(suite.startswith("TLS_ECDHE_") for suite in suites)
    renegotiation = of("session_renegotiation")
    assert renegotiation["supports_secure_renegotiation"] and not renegotiation["is_vulnerable_to_client_renegotiation_dos"]
    assert not of("heartbleed")["is_vulnerable_to_heartbleed"]
    assert not of("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"]
    assert not of("tls_compression")["supports_compression"]
    assert of("tls_fallback_scsv")["supports_fallback_scsv"]
    assert of("tls_extended_master_secret")["supports_ems_extension"]
    assert "VULNERABLE" not in of("robot")["robot_result"].replace("NOT_VULNERABLE", "")
    curves = {curve["name"] for curve in of("elliptic_curves")["supported_curves"]}
    assert curves == {"X25519", "prime256v1", "secp384r1"} or curves == {"X25519", "secp256r1", "secp384r1"}, curves

    # Against Mozilla's "intermediate" nothing is left but what a CA of one's own means.
    told = result.stdout.split("COMPLIANCE AGAINST")[1]
    faults = {line.strip().split(":")[0] for line in told.splitlines() if line.strip().startswith("* ")}
    assert faults <= {"* certificate_path_validation"}, told


def test_tickets_resume_with_each_version(gateway):
    """What testssl.sh cannot try: it says so."""
    context = ssl.create_default_context(cafile=str(gateway.authority.certificate))
    context.load_cert_chain(*map(str, gateway.client))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, version
        session = None
        for expected in (False, True):
            raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
                connection.sendall(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert b"200 OK" in connection.recv(4096)
                assert connection.session_reused == expected
                session = connection.session
