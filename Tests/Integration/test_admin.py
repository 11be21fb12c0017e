"""The admin listener with `server.admin.auth`, asked by curl."""

import hashlib
import signal
import subprocess

import bcrypt
import pytest

from support.gateway import Gateway, check
from support.process import eventually

PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
TENANT_HASH = bcrypt.hashpw(b"tenant", bcrypt.gensalt(4)).decode()
PUBLIC = ("/metrics", "/-/healthy", "/-/ready")
PAGES = ("/", "/api/v1/status/reload", "/api/v1/status/metadata?tenant=alpha", "/nothing", "/-/reload")
# Loopback by IPv4 inside IPv6: the machine alone reaches it, and the gateway does not take it for loopback.
FAR = "[::ffff:127.0.0.1]"
TENANTS = f"""
alpha:
  database: alpha
  table: prometheus
  auth: {{basic: [{{username: alpha, password_hash: "{TENANT_HASH}"}}]}}
open:
  database: open
  table: prometheus
  auth: none
"""


class Console(Gateway):
    """A gateway whose admin listener is as `admin` says, beside its address."""

    def __init__(self, folder, admin, *, host="127.0.0.1", **options):
        super().__init__(folder, tenants=TENANTS, server="watch_interval: none", **options)
        old = f'admin: {{listen: "127.0.0.1:{self.admin_port}"}}'
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, f'admin: {{listen: "{host}:{self.admin_port}", {admin}}}'))
        (self.folder / "operator.hash").write_text(HASH + "\n")
        (self.folder / "operator.token").write_text("token-1\n")
        for name in ("operator.hash", "operator.token"):
            (self.folder / name).chmod(0o600)

    def curl(self, path, *arguments):
        """Status, head and text of a page."""
        command = ["curl", "-sS", "-i", "--max-time", "20", *arguments]
        command.append(f"http://127.0.0.1:{self.admin_port}{path}")
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        head, _, text = result.stdout.partition("\n\n")
        return int(head.split()[1]), head.lower(), text

    def status(self, path, *arguments):
        return self.curl(path, *arguments)[0]


AUTH = "auth: {basic: [{username: operator, password_hash_file: operator.hash}], bearer: [{token_file: operator.token}]}"
BASIC = ("-u", f"operator:{PASSWORD}")
BEARER = ("-H", "Authorization: Bearer token-1")


@pytest.fixture(params=["127.0.0.1", FAR], ids=["loopback", "elsewhere"])
def console(request, tmp_path):
    with Console(tmp_path, f"reload: true, {AUTH}", host=request.param) as console:
        yield console


def test_pages_want_proof_and_health_and_metrics_do_not(console):
    for path in PUBLIC:
        assert console.status(path) == 200
    for path in PAGES:
        for wrong in ((), ("-u", "operator:wrong"), ("-u", "alpha:tenant"), ("-H", "Authorization: Bearer token-2")):
            status, head, text = console.curl(path, *wrong)
            assert status == 401, (path, wrong)
            assert 'www-authenticate: basic realm="timestream-gateway"' in head
            assert text == "unauthorized: this page needs the proof that server.admin.auth asks for\n"
        assert console.status(path, "-X", "POST") == 401
    for proof in (BASIC, BEARER):
        assert "alpha.prometheus" in console.curl("/", *proof)[2]
        assert '"lastReloadSuccessful":true' in console.curl("/api/v1/status/reload", *proof)[2]
        assert console.status("/api/v1/status/metadata?tenant=alpha", *proof) == 200
        assert console.status("/nothing", *proof) == 404
        assert console.curl("/-/reload", "-X", "POST", *proof)[2] == "reloaded\n"
        assert console.status("/-/reload", "-X", "POST", "-H", "Origin: http://evil.example", *proof) == 403
    assert console.metric("gateway_admin_refused_total", reason="wrong_credentials") == 3 * len(PAGES)
    assert console.metric("gateway_admin_refused_total", reason="no_credentials") == 2 * len(PAGES)
    assert console.metric("gateway_config_reloads_total", result="success") == 2
    assert PASSWORD not in console.log() and "token-1" not in console.log()


def test_a_right_password_is_hashed_once(console):
    for _ in range(5):
        assert console.status("/", *BASIC) == 200
    assert console.metric("gateway_password_checks_total", result="matched") == 1
    assert console.metric("gateway_password_checks_total", result="cached") == 4


def test_what_proves_an_operator_proves_no_tenant_and_the_other_way_round(console):
    write = ("-X", "POST", "--data-binary", "x")
    url = f"http://127.0.0.1:{console.port}/t/alpha/api/v1/write"

    def post(*proof):
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *write, *proof, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    assert post(*BASIC) == post(*BEARER) == "401"
    assert post("-u", "alpha:tenant") in ("400", "415")
    assert console.status("/", "-u", "alpha:tenant") == 401


def test_wrong_passwords_are_slowed_and_right_ones_of_before_are_not(tmp_path):
    with Console(tmp_path, AUTH) as console:
        assert console.status("/", *BASIC) == 200
        statuses = [console.status("/", "-u", f"operator:wrong-{turn}") for turn in range(40)]
        assert set(statuses) == {401, 503} and statuses[0] == 401
        limited = console.metric("gateway_admin_refused_total", reason="password_failures")
        assert limited == statuses.count(503)
        assert console.status("/", *BASIC) == 200


def test_a_reload_takes_other_secrets_and_an_absent_auth(tmp_path):
    with Console(tmp_path, f"reload: true, {AUTH}", host=FAR) as console:
        assert console.status("/", *BASIC) == console.status("/", *BEARER) == 200
        (console.folder / "operator.hash").write_text(bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode())
        (console.folder / "operator.token").write_text("token-2")
        assert console.curl("/-/reload", "-X", "POST", *BEARER)[2] == "reloaded\n"
        assert console.status("/", *BASIC) == console.status("/", *BEARER) == 401
        assert console.status("/", "-u", "operator:other") == 200
        assert console.status("/", "-H", "Authorization: Bearer token-2") == 200

        text = console.config.read_text()
        console.config.write_text(text.replace(f", {AUTH}", ""))
        console.child.process.send_signal(signal.SIGHUP)
        eventually(lambda: console.status("/", "-u", "operator:other") == 404, what="auth is gone")
        assert console.status("/-/reload", "-X", "POST") == 404
        assert [console.status(path) for path in PUBLIC] == [200, 200, 200]

        digest = hashlib.sha256(b"token-3").hexdigest()
        console.config.write_text(text.replace(AUTH, f"auth: {{bearer: [{{token_sha256: {digest}}}]}}"))
        console.child.process.send_signal(signal.SIGHUP)
        proof = ("-H", "Authorization: Bearer token-3")
        eventually(lambda: console.status("/", *proof) == 200, what="auth is there again")
        assert console.status("/") == console.status("/", *BASIC) == 401


def test_without_auth_it_is_as_it_was(tmp_path):
    with Console(tmp_path / "near", "reload: true") as console:
        assert console.status("/") == 200
        assert console.curl("/-/reload", "-X", "POST")[2] == "reloaded\n"
    with Console(tmp_path / "far", "reload: true", host=FAR) as console:
        assert [console.status(path) for path in PUBLIC] == [200, 200, 200]
        assert [console.status(path, *BASIC) for path in PAGES] == [404] * len(PAGES)
        assert console.status("/-/reload", "-X", "POST") == 404


def test_check_warns_where_operators_secrets_cross_the_network(tmp_path):
    code, text = check(Console(tmp_path / "far", AUTH, host=FAR).config)
    assert code == 0 and "server.admin.auth: passwords and tokens cross the network in the clear" in text
    assert "pages for basic|bearer" in text and HASH not in text
    code, text = check(Console(tmp_path / "near", AUTH).config)
    assert code == 0 and "in the clear" not in text
