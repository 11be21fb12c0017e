"""Tenants do not meet: data, keys and refusals."""

import concurrent.futures
import hashlib
import subprocess

import bcrypt
import pytest
import requests

from support import protocol
from support.gateway import READ_HEADERS, WRITE_HEADERS, Gateway

NOW = 1_760_000_000_000
PASSWORD = "correct horse"
TOKEN = "secret-token"


@pytest.fixture(scope="module")
def password_hash():
    # Cost 4: these tests are about decisions, not about the hash's cost.
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, pki, password_hash):
    tenants = f"""
    payments:
      database: payments
      table: prometheus
      auth: {{client_certificate: {{san_uri: ["spiffe://test/payments", "spiffe://test/both"]}}}}
    search:
      database: search
      table: prometheus
      auth:
        basic: [{{username: search, password_hash: "{password_hash}"}}]
        client_certificate: {{san_dns: ["search.test"], san_uri: ["spiffe://test/both"]}}
    tokens:
      database: tokens
      table: prometheus
      auth: {{bearer: [{{token_sha256: "{hashlib.sha256(TOKEN.encode()).hexdigest()}"}}]}}
    """
    with Gateway(tmp_path_factory.mktemp("tenants"), tenants=tenants, tls=pki.tls) as gateway:
        yield gateway


def test_each_tenant_reads_only_its_own_and_its_key_signs_its_table_only(gateway, pki):
    options = {
        "payments": {"cert": tuple(map(str, pki.payments))},
        "search": {"auth": ("search", PASSWORD)},
    }

    def write(tenant, number):
        value = number if tenant == "payments" else -number
        series = [({"__name__": "balance", "account": "1"}, [(float(value), NOW + number)])]
        return gateway.write(f"/t/{tenant}/api/v1/write", series, verify=pki.ca, **options[tenant]).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(write, tenant, number) for number in range(1, 101) for tenant in options]
        assert {job.result() for job in jobs} == {204}

    for tenant, sign in (("payments", 1), ("search", -1)):
        found = gateway.read(
            f"/t/{tenant}/api/v1/read", NOW, NOW + 1000, (protocol.EQ, "__name__", "balance"),
            verify=pki.ca, **options[tenant],
        )
        samples = [(protocol.bits(float(sign * number)), NOW + number) for number in range(1, 101)]
        assert found == {protocol.key({"__name__": "balance", "account": "1"}): samples}

    keys = {}
    for line in gateway.engine_log("WriteRecords") + gateway.engine_log("Query"):
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        database = fields.get("database")
        if database in ("payments", "search"):
            keys.setdefault(database, set()).add(fields["key.id"])
    assert {database: len(found) for database, found in keys.items()} == {"payments": 1, "search": 1}
    assert keys["payments"] != keys["search"]


@pytest.mark.parametrize(
    ("case", "path", "headers", "expected"),
    [
        ("no proof at all", "/t/payments", {}, 401),
        ("wrong password", "/t/search", {"auth": ("search", "wrong")}, 401),
        ("unknown user", "/t/search", {"auth": ("nobody", PASSWORD)}, 401),
        ("unknown tenant", "/t/nonesuch", {"auth": ("search", PASSWORD)}, 401),
        ("another tenant's password", "/t/payments", {"auth": ("search", PASSWORD)}, 401),
        ("wrong token", "/t/tokens", {"headers": {"Authorization": "Bearer nope"}}, 401),
        ("header against path", "/t/payments", {"headers": {"X-Scope-OrgID": "search"}}, 403),
        ("certificate against path", "/t/search", {"cert": "payments"}, 403),
        ("certificate against header", "", {"cert": "payments", "headers": {"X-Scope-OrgID": "search"}}, 403),
        ("certificate that no tenant knows", "/t/payments", {"cert": "stranger"}, 401),
        ("no tenant named", "", {}, 400),
        ("certificate of two tenants, none named", "", {"cert": "both"}, 400),
        ("impossible tenant", "/t/..%2f..%2fetc", {}, 400),
    ],
)
@pytest.mark.parametrize("route", ["write", "read"])
def test_refusals_store_nothing_and_name_nobody(gateway, pki, case, path, headers, expected, route):
    options = dict(headers)
    if "cert" in options:
        options["cert"] = tuple(map(str, getattr(pki, options["cert"])))
    calls = len(gateway.engine_log("WriteRecords")) + len(gateway.engine_log("Query"))
    message = (
        protocol.write_request([({"__name__": "intruder"}, [(1.0, NOW)])])
        if route == "write"
        else protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "intruder"))
    )
    options["headers"] = (WRITE_HEADERS if route == "write" else READ_HEADERS) | options.get("headers", {})
    answer = requests.post(
        f"{gateway.url}{path}/api/v1/{route}", data=protocol.encode(message), verify=pki.ca, timeout=30, **options
    )
    assert answer.status_code == expected, (case, answer.text)
    assert len(answer.content) <= 1024
    assert answer.content.count(b"\n") == 1
    if expected == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="timestream-gateway"'
    for name in ("payments", "search", "tokens", "prometheus", "nonesuch", "SELECT", "spiffe"):
        assert name not in answer.text, (case, answer.text)
    assert len(gateway.engine_log("WriteRecords")) + len(gateway.engine_log("Query")) == calls


def test_unknown_tenant_and_wrong_password_look_alike(gateway, pki):
    # `Connection` only tells whether the body had arrived when the answer was made.
    def refusal(tenant, password):
        answer = gateway.write(
            f"/t/{tenant}/write", [({"__name__": "m"}, [(1.0, NOW)])], verify=pki.ca, auth=("search", password)
        )
        text = answer.text.rpartition("request=")[0]
        return answer.status_code, text, sorted(set(answer.headers) - {"Date", "Connection"})

    assert refusal("nonesuch", PASSWORD) == refusal("search", "wrong")


@pytest.mark.parametrize("source", ["path", "header", "certificate"])
def test_every_source_names_the_tenant(gateway, pki, source):
    options = {"cert": tuple(map(str, pki.payments)), "verify": pki.ca}
    if source == "header":
        options["headers"] = {"X-Scope-OrgID": "payments"}
    path = "/t/payments/api/v1/push" if source == "path" else "/api/v1/push"
    name = f"source_{source}"
    assert gateway.write(path, [({"__name__": name}, [(1.0, NOW)])], **options).status_code == 204
    found = gateway.read(
        "/t/payments/read", NOW, NOW, (protocol.EQ, "__name__", name), verify=pki.ca, cert=options["cert"]
    )
    assert list(found.values()) == [[(protocol.bits(1.0), NOW)]]


def test_one_certificate_proves_for_two_tenants_that_path_or_header_name(gateway, pki):
    options = {"cert": tuple(map(str, pki.both)), "verify": pki.ca}
    series = [({"__name__": "shared_identity"}, [(1.0, NOW)])]
    assert gateway.write("/t/payments/write", series, **options).status_code == 204
    assert gateway.write("/write", series, headers={"X-Scope-OrgID": "search"}, **options).status_code == 204
    assert gateway.write("/t/tokens/write", series, **options).status_code in (401, 403)


def test_bearer_tokens(gateway, pki):
    series = [({"__name__": "m"}, [(1.0, NOW)])]
    answer = gateway.write(
        "/t/tokens/write", series, verify=pki.ca, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 204, answer.text


def test_a_foreign_certificate_ends_the_handshake_with_an_alert_the_client_sees(gateway, pki):
    certificate, key = pki.foreign
    for version in ("-tls1_2", "-tls1_3"):
        result = subprocess.run(
            [
                "openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", pki.ca, "-cert", certificate,
                "-key", key, version, "-ign_eof",
            ],
            input="GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n", capture_output=True, text=True, timeout=20,
            check=False,
        )
        assert "alert unknown ca" in result.stderr, (version, result.stderr)
        assert "200 OK" not in result.stdout
