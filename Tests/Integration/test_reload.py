"""Reload: a changed configuration is taken whole or not at all, and no request notices."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import bcrypt
import pytest
import requests

from support import protocol
from support.gateway import WRITE_HEADERS, Gateway
from support.pki import Authority, revocation_list
from support.process import eventually, http_get

NOW = 1_760_000_000_000
PASSWORD = "correct horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
BODY = protocol.encode(protocol.write_request([({"__name__": "up", "job": "a"}, [(1.0, NOW)])]))


def tenant(name, more=""):
    return f"""
{name}:
  database: {name}
  table: prometheus
  auth: {{basic: [{{username: {name}, password_hash: "{HASH}"}}]}}
  {more}
"""


class Reloadable(Gateway):
    """A gateway whose files change; nobody watches them unless a test says so."""

    def __init__(self, folder, *, watch="none", **options):
        super().__init__(folder, server=f"watch_interval: {watch}", **options)
        admin = f'listen: "127.0.0.1:{self.admin_port}"'
        self.change(f"admin: {{{admin}}}", f"admin: {{{admin}, reload: true}}")

    def change(self, old, new):
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def reload(self):
        """By request; status and text."""
        answer = requests.post(f"http://127.0.0.1:{self.admin_port}/-/reload", timeout=30)
        return answer.status_code, answer.text

    def reloaded(self):
        assert self.reload() == (200, "reloaded\n")

    def status(self):
        status, text = http_get(f"http://127.0.0.1:{self.admin_port}/api/v1/status/reload")
        assert status == 200
        return json.loads(text)["data"]

    def post(self, name, session=requests, **options):
        options = {"auth": (name, PASSWORD)} | options
        return session.post(
            f"{self.url}/t/{name}/api/v1/write", data=BODY, headers=WRITE_HEADERS, timeout=30, **options
        )


@pytest.fixture
def gateway(tmp_path):
    with Reloadable(tmp_path, tenants=tenant("alpha") + tenant("beta")) as gateway:
        yield gateway


def test_sighup_adds_changes_and_removes_tenants(gateway):
    kept = requests.Session()
    assert gateway.post("alpha", kept).status_code == 204
    assert gateway.post("gamma").status_code == 401
    before = gateway.metric("gateway_config_hash")
    gateway.change(tenant("beta").strip().replace("\n", "\n  "), tenant("gamma").strip().replace("\n", "\n  "))
    gateway.child.process.send_signal(signal.SIGHUP)
    eventually(lambda: gateway.post("gamma").status_code == 204, what="the new tenant is served")

    assert gateway.post("beta").status_code == 401
    assert gateway.post("alpha", kept).status_code == 204
    assert gateway.metric("gateway_config_last_reload_successful") == 1
    assert gateway.metric("gateway_config_reloads_total", result="success") == 1
    assert gateway.metric("gateway_config_hash") != before
    assert "added=1" in gateway.log() and "removed=1" in gateway.log()
    assert "gamma" in http_get(f"http://127.0.0.1:{gateway.admin_port}/")[1]
    name = "timestream_connector_write_requests_total"
    assert gateway.metric(name, tenant="alpha") == 2 and gateway.metric(name, tenant="beta") is None


def test_a_bad_file_changes_nothing_and_its_problems_are_kept(gateway):
    good = gateway.config.read_text()
    before = gateway.status()
    gateway.config.write_text(good.replace("database: beta", "databse: beta"))
    status, text = gateway.reload()
    assert status == 500 and 'did you mean "database"' in text
    assert gateway.post("alpha").status_code == 204 and gateway.post("beta").status_code == 204
    assert gateway.metric("gateway_config_last_reload_successful") == 0
    after = gateway.status()
    assert not after["lastReloadSuccessful"] and after["hash"] == before["hash"]
    assert any("did you mean" in problem for problem in after["problems"])
    page = http_get(f"http://127.0.0.1:{gateway.admin_port}/")[1]
    assert "The configuration was not taken" in page and "databse" in page
    assert "configuration not taken" in gateway.log()

    gateway.config.unlink()
    assert gateway.reload()[0] == 500
    gateway.config.write_text(good)
    gateway.reloaded()
    assert gateway.metric("gateway_config_last_reload_successful") == 1
    assert gateway.status()["problems"] == []


def test_what_a_process_cannot_change_is_refused_by_name(gateway):
    good = gateway.config.read_text()
    changes = [
        (f'listen: "127.0.0.1:{gateway.port}"', 'listen: "127.0.0.1:1"', "server.listen", f":{gateway.port} to"),
        (f'listen: "127.0.0.1:{gateway.admin_port}"', 'listen: "127.0.0.1:2"', "server.admin.listen", ":2,"),
        (f'listen: "127.0.0.1:{gateway.engine_port}"', 'listen: "127.0.0.1:3"', "timestream.local.listen", ":3,"),
        (f"directory: {gateway.folder}/timestream", f"directory: {gateway.folder}/x", "timestream.local.directory", "/x"),
    ]
    for old, new, name, values in changes:
        assert old in good
        # A new tenant beside it: nothing of the file is taken.
        gateway.config.write_text(good.replace(old, new) + tenant("gamma").replace("\n", "\n  "))
        status, text = gateway.reload()
        assert status == 500 and name in text and values in text, text
        assert gateway.post("gamma").status_code == 401
    assert gateway.post("alpha").status_code == 204


def test_reloading_by_request_is_off_unless_enabled_and_never_for_web_pages(gateway, tmp_path):
    url = f"http://127.0.0.1:{gateway.admin_port}/-/reload"
    assert requests.get(url, timeout=5).status_code == 405
    assert requests.post(url, headers={"Origin": "http://evil.test"}, timeout=5).status_code == 403
    assert requests.post(url, headers={"Host": "evil.test"}, timeout=5).status_code == 421
    assert gateway.metric("gateway_config_reloads_total", result="success") == 0
    with Gateway(tmp_path / "off", tenants=tenant("alpha")) as other:
        assert requests.post(f"http://127.0.0.1:{other.admin_port}/-/reload", timeout=5).status_code == 404


def test_limits_keep_their_state_and_secrets_change(gateway):
    limits = "limits: {write_requests_per_second: 1, write_request_burst: 5, max_wait: 0s}"
    gateway.change("database: alpha", f"{limits}\n    database: alpha")
    gateway.reloaded()
    spent = [gateway.post("alpha").status_code for _ in range(20)]
    assert 204 in spent and spent[-1] == 503
    # A fresh bucket would hold another five.
    for burst in (5, 3):
        gateway.change("write_request_burst: 5" if burst == 3 else limits, limits.replace("burst: 5", f"burst: {burst}")
                       if burst == 5 else "write_request_burst: 3")
        gateway.reloaded()
        again = [gateway.post("alpha").status_code for _ in range(3)]
        assert again.count(204) <= 2, again

    other = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
    text = gateway.config.read_text()
    start = text.index("username: beta")
    gateway.config.write_text(text[:start] + text[start:].replace(HASH, other))
    gateway.reloaded()
    assert gateway.post("beta").status_code == 401
    assert gateway.post("beta", auth=("beta", "another")).status_code == 204


def test_two_hundred_reloads_under_load(gateway):
    failures, stop = [], threading.Event()

    def send(name):
        session = requests.Session()
        while not stop.is_set():
            answer = gateway.post(name, session)
            if answer.status_code != 204:
                failures.append((answer.status_code, answer.text))

    def usage():
        folder = pathlib.Path(f"/proc/{gateway.child.process.pid}")
        status = (folder / "status").read_text()
        rss = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        # Of a process that cannot be dumped, root alone may see the descriptors.
        return rss, len(list((folder / "fd").iterdir())) if os.geteuid() == 0 else 0

    gateway.change("database: alpha", "limits: {write_requests_per_second: unlimited}\n    database: alpha")
    gateway.change("database: beta", "limits: {write_requests_per_second: unlimited}\n    database: beta")
    gateway.reloaded()
    threads = [threading.Thread(target=send, args=(name,)) for name in ("alpha", "beta", "alpha", "beta")]
    for thread in threads:
        thread.start()
    try:
        first = gateway.config.read_text()
        texts = [first, first.replace("unlimited", "100000") + tenant("gamma").replace("\n", "\n  ")]
        for turn in range(200):
            gateway.config.write_text(texts[turn % 2])
            gateway.reloaded()
            if turn == 19:
                rss, descriptors = usage()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    # Nobody had to connect twice.
    assert gateway.metric("gateway_listener_connections_accepted_total", listener="data") == len(threads)
    after = usage()
    assert after[0] < rss + 8 * 1024 and after[1] <= descriptors + 4, (rss, descriptors, after)


def test_a_mounted_secret_that_is_swapped_is_seen(tmp_path):
    """As Kubernetes does it: files are links through `..data`, which is swapped by a rename."""
    mount = tmp_path / "mount"
    mount.mkdir()

    def publish(version, text):
        data = mount / f"..{version}"
        data.mkdir()
        (data / "hash").write_text(text + "\n")
        link = mount / "..data_tmp"
        link.symlink_to(data.name)
        os.rename(link, mount / "..data")

    publish("1", HASH)
    (mount / "hash").symlink_to("..data/hash")
    tenants = f"""
    alpha:
      database: alpha
      table: prometheus
      auth: {{basic: [{{username: alpha, password_hash_file: {mount}/hash}}]}}
    """
    with Reloadable(tmp_path / "gateway", watch="100ms", tenants=tenants) as gateway:
        assert gateway.post("alpha").status_code == 204
        publish("2", bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode())
        shutil.rmtree(mount / "..1")
        eventually(lambda: gateway.post("alpha").status_code == 401, what="the new hash counts")
        assert gateway.post("alpha", auth=("alpha", "another")).status_code == 204

        # What cannot be used is told once, not at every look.
        publish("3", "nonsense")
        eventually(lambda: gateway.metric("gateway_config_last_reload_successful") == 0, what="the failure is told")
        publish("4", HASH)
        eventually(lambda: gateway.post("alpha").status_code == 204, what="the old hash counts again")
        assert gateway.metric("gateway_config_reloads_total", result="failure") == 1
        assert gateway.metric("gateway_config_reloads_total", result="success") == 2


# TLS


class Rotation:
    """A gateway with certificates of its own, in files that a test may write anew."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder / "authority", "Rotating CA")
        self.own = Authority(folder / "own", "Tenant CA")
        self.server = self.authority.issue("server", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
        self.client = self.authority.issue("client", san="URI:spiffe://test/alpha")
        self.friend = self.own.issue("friend", san="URI:spiffe://test/beta")
        self.files = folder / "files"
        self.files.mkdir()
        shutil.copy(self.server[0], self.files / "server.pem")
        shutil.copy(self.server[1], self.files / "server.key")
        shutil.copy(self.authority.certificate, self.files / "ca.pem")
        shutil.copy(self.own.certificate, self.files / "own.pem")
        self.revoke(self.authority)
        self.revoke(self.own, name="own.crl")
        tenants = f"""
        alpha:
          database: alpha
          table: prometheus
          auth: {{client_certificate: {{san_uri: ["spiffe://test/alpha"]}}}}
        beta:
          database: beta
          table: prometheus
          auth: {{client_certificate: {{san_uri: ["spiffe://test/beta"], ca: {self.files}/own.pem, crl: {self.files}/own.crl}}}}
        """
        tls = (
            f"certificate: {self.files}/server.pem, private_key: {self.files}/server.key, "
            f"client_ca: {self.files}/ca.pem, crl: {self.files}/crl.pem"
        )
        self.gateway = Reloadable(folder / "gateway", tenants=tenants, tls=tls)

    def revoke(self, authority, *certificates, name="crl.pem"):
        (self.files / name).write_text(revocation_list(authority, certificates))

    def connect(self, certificate=None, *, session=None):
        """A kept connection of a client."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        cert = certificate or self.client
        context.load_cert_chain(cert[0], cert[1])
        connection = http.client.HTTPSConnection("localhost", self.gateway.port, context=context, timeout=20)
        connection.connect()
        return connection

    @staticmethod
    def send(connection, name="alpha"):
        connection.request("POST", f"/t/{name}/api/v1/write", BODY, WRITE_HEADERS)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def serial(self):
        """Of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        with socket.create_connection(("localhost", self.gateway.port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                return tls.getpeercert()["serialNumber"]


@pytest.fixture
def rotation(tmp_path):
    rotation = Rotation(tmp_path)
    with rotation.gateway:
        yield rotation


def assert_refused(action):
    """The connection ends, or the handshake does."""
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        action()


def test_a_new_server_certificate_leaves_open_connections_alone(rotation):
    kept = rotation.connect()
    assert rotation.send(kept) == 204
    socket_before = kept.sock
    before = rotation.serial()
    # The pair is written in two steps, and the gateway is asked in between.
    certificate, key = rotation.authority.issue("server2", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
    shutil.copy(certificate, rotation.files / "server.pem")
    status, text = rotation.gateway.reload()
    assert status == 500 and "does not belong" in text
    assert rotation.serial() == before
    shutil.copy(key, rotation.files / "server.key")
    rotation.gateway.reloaded()
    assert rotation.serial() != before
    assert rotation.send(kept) == 204 and kept.sock is socket_before


def test_certificates_rotate_under_load(rotation):
    stop, sent, failures = threading.Event(), [], []
    clients = [rotation.connect() for _ in range(3)] + [rotation.connect(rotation.friend)]
    sockets = [client.sock for client in clients]

    def keep_sending(client, name):
        while not stop.is_set():
            try:
                status = rotation.send(client, name)
            except Exception as error:
                failures.append(error)
                return
            (sent if status == 204 else failures).append(status)

    threads = [
        threading.Thread(target=keep_sending, args=(client, name))
        for client, name in zip(clients, ["alpha", "alpha", "alpha", "beta"])
    ]
    pairs = [
        rotation.authority.issue(f"server-{number}", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
        for number in range(4)
    ]
    other = Authority(rotation.folder / "other", "Other CA")
    serials = set()
    for thread in threads:
        thread.start()
    try:
        for turn in range(40):
            certificate, key = pairs[turn % 4]
            shutil.copy(certificate, rotation.files / "server.pem")
            shutil.copy(key, rotation.files / "server.key")
            # Another CA comes and goes, and the lists of revoked certificates are new each time.
            authorities = [rotation.authority, other][: 1 + turn % 2]
            (rotation.files / "ca.pem").write_text("".join(each.certificate.read_text() for each in authorities))
            (rotation.files / "crl.pem").write_text("".join(revocation_list(each) for each in authorities))
            rotation.revoke(rotation.own, name="own.crl")
            rotation.gateway.reloaded()
            serials.add(rotation.serial())
            # New clients come in all the time, with what counts now.
            assert rotation.send(rotation.connect()) == 204
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == [] and len(sent) > 100
    assert [client.sock for client in clients] == sockets, "a connection was dropped"
    assert len(serials) == 4


def test_a_revoked_client_loses_its_open_connection_and_its_session(rotation):
    session = rotation.folder / "session"

    def s_client(*more):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{rotation.gateway.port}", "-CAfile",
             rotation.authority.certificate, "-cert", rotation.client[0], "-key", rotation.client[1], "-ign_eof", *more],
            input="GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            capture_output=True, text=True, timeout=20, check=False,
        )

    assert "200 OK" in s_client("-sess_out", session).stdout
    resumed = s_client("-sess_in", session)
    assert "Reused, TLSv1.3" in resumed.stdout and "200 OK" in resumed.stdout
    first, second = rotation.connect(), rotation.connect(rotation.friend)
    assert rotation.send(first) == 204 and rotation.send(second, "beta") == 204

    rotation.revoke(rotation.authority, rotation.client[0])
    rotation.gateway.reloaded()
    assert_refused(lambda: rotation.send(first))
    assert_refused(lambda: rotation.send(rotation.connect()))
    again = s_client("-sess_in", session)
    assert "Reused" not in again.stdout and "200 OK" not in again.stdout
    # Whoever is still trusted keeps its connection.
    kept = second.sock
    assert rotation.send(second, "beta") == 204 and second.sock is kept

    rotation.revoke(rotation.own, rotation.friend[0], name="own.crl")
    rotation.gateway.reloaded()
    assert_refused(lambda: rotation.send(second, "beta"))
    rotation.revoke(rotation.authority)
    rotation.gateway.reloaded()
    assert rotation.send(rotation.connect()) == 204


def test_a_ca_is_replaced_step_by_step(rotation):
    kept = rotation.connect()
    assert rotation.send(kept) == 204
    new = Authority(rotation.folder / "new", "Next CA")
    client = new.issue("client", san="URI:spiffe://test/alpha")
    assert_refused(lambda: rotation.send(rotation.connect(client)))
    both = rotation.authority.certificate.read_text() + new.certificate.read_text()
    (rotation.files / "ca.pem").write_text(both)
    (rotation.files / "crl.pem").write_text(revocation_list(rotation.authority) + revocation_list(new))
    rotation.gateway.reloaded()
    same = kept.sock
    assert rotation.send(kept) == 204 and kept.sock is same
    assert rotation.send(rotation.connect(client)) == 204

    (rotation.files / "ca.pem").write_text(new.certificate.read_text())
    (rotation.files / "crl.pem").write_text(revocation_list(new))
    rotation.gateway.reloaded()
    assert_refused(lambda: rotation.send(kept))
    assert rotation.send(rotation.connect(client)) == 204


def test_a_tenant_ca_vouches_for_no_other_tenant_after_a_reload(rotation):
    impostor = rotation.own.issue("impostor", san="URI:spiffe://test/alpha")
    connection = rotation.connect(impostor)
    assert rotation.send(connection) in (401, 403)
    rotation.revoke(rotation.own, name="own.crl")
    rotation.gateway.reloaded()
    assert rotation.send(rotation.connect(impostor)) in (401, 403)
    server_only = rotation.authority.issue("wrong-usage", san="URI:spiffe://test/alpha", usage="serverAuth")
    assert_refused(lambda: rotation.send(rotation.connect(server_only)))
