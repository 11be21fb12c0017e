"""The listener's certificates by name, and what it takes of versions, suites, groups and keys."""

import subprocess

import pytest

from support.gateway import Gateway, check
from support.pki import Authority


def tenants(more=""):
    return f"demo: {{database: demo1, table: prometheus, auth: none}}{more}"


def s_client(gateway, authority, *more):
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{gateway.port}", "-CAfile", authority.certificate, "-ign_eof",
         *more],
        input="GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        capture_output=True, text=True, timeout=20, check=False,
    )
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "Policy CA")


@pytest.fixture(scope="module")
def gateway(authority, tmp_path_factory):
    first = authority.issue("first", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
    second = authority.issue("second", san="DNS:second.test", usage="serverAuth")
    third = authority.issue("third", san="DNS:*.wild.test", usage="serverAuth")
    tls = (
        f"certificate: {first[0]}, private_key: {first[1]}, certificates: ["
        f"{{certificate: {second[0]}, private_key: {second[1]}}}, {{certificate: {third[0]}, private_key: {third[1]}}}], "
        f"client_ca: {authority.certificate}, cipher_suites: [TLS_AES_256_GCM_SHA384, ECDHE-ECDSA-AES256-GCM-SHA384], "
        "groups: [P-384]"
    )
    with Gateway(tmp_path_factory.mktemp("policy"), tenants=tenants(), tls=tls) as gateway:
        yield gateway


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("name", "subject"),
    [("second.test", "second"), ("a.wild.test", "third"), ("localhost", "first"), ("a.b.wild.test", "first"),
     ("unknown.test", "first"), (None, "first")],
)
def test_the_certificate_is_chosen_by_name(gateway, authority, version, name, subject):
    more = ["-servername", name] if name else ["-noservername"]
    output = s_client(gateway, authority, version, *more)
    assert "200 OK" in output and f"CN = {subject}" in output and "Verify return code: 0" in output


def test_suites_and_groups_are_those_of_the_file(gateway, authority):
    newer = s_client(gateway, authority, "-tls1_3")
    assert "TLS_AES_256_GCM_SHA384" in newer and "200 OK" in newer
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(gateway, authority, "-tls1_2")
    for refused in (
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        ["-tls1_3", "-groups", "X25519"],
    ):
        assert "200 OK" not in s_client(gateway, authority, *refused)


def test_a_client_of_a_small_key_is_refused(gateway, authority):
    """Whatever the client's own OpenSSL allows: `SECLEVEL=0` is its side."""
    key, request, certificate = (authority.folder / f"small.{kind}" for kind in ("key", "csr", "pem"))
    for command in (
        ["req", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=small", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial",
         "-days", "2", "-out", certificate],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True, timeout=30)
    output = s_client(
        gateway, authority, "-cert", certificate, "-key", key, "-cipher", "DEFAULT@SECLEVEL=0", "-tls1_2"
    )
    assert "200 OK" not in output
    good = authority.issue("good", san="DNS:good.test")
    assert "200 OK" in s_client(gateway, authority, "-cert", good[0], "-key", good[1])


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ("cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]", "no suite of TLS 1.3"),
        ("cipher_suites: [RC4-SHA]", "cipher_suites[0]"),
        ("groups: [P-257]", "groups[0]"),
        ("certificates: [{certificate: CERT}]", "private_key"),
        ("certificates: [{certificate: CERT, private_key: OTHER}]", "does not belong"),
    ],
)
def test_what_cannot_be_is_told(authority, tmp_path, tls, problem):
    first = authority.issue("checked", san="DNS:localhost", usage="serverAuth")
    other = authority.issue("checked2", san="DNS:localhost", usage="serverAuth")
    more = tls.replace("CERT", str(first[0])).replace("OTHER", str(other[1]))
    gateway = Gateway(tmp_path, tenants=tenants(), tls=f"certificate: {first[0]}, private_key: {first[1]}, {more}")
    code, output = check(gateway.config)
    assert code == 78 and problem in output, output
