"""Credentials that change while the gateway runs: whole processes against doubles of STS, IMDS and a container's agent."""

import base64
import datetime
import http.server
import json
import re
import threading
import time
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from support.gateway import BINARY, Gateway
from support.process import Child, eventually, free_port, http_get

LIFETIME = 4
ROLE = "arn:aws:iam::111122223333:role"
FIXED = ("AKIDFIXEDFIXED00", "fixed/secret")


class Amazon(http.server.BaseHTTPRequestHandler):
    """STS, IMDS, a container's endpoint and Timestream in one: it hands out keys that live for seconds, and takes no others."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    tokens = []
    keys = {}
    issued = []
    calls = []
    faults = []

    @classmethod
    def reset(cls):
        cls.keys = {FIXED[0]: (FIXED[1], None, float("inf"))}
        cls.issued, cls.calls, cls.faults, cls.tokens = [], [], [], []

    @classmethod
    def issue(cls, kind):
        with cls.lock:
            number = len(cls.issued)
            cls.issued.append(kind)
            key = (f"ASIA{kind.upper():A<8.8}{number:08}", f"hush/{number}+", base64.b64encode(f"hush{number}".encode()).decode())
            expires = int(time.time()) + LIFETIME
            cls.keys[key[0]] = (key[1], key[2], expires)
        stamp = datetime.datetime.fromtimestamp(expires, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (*key, stamp)

    def signer(self, body, service):
        """The id of the key that the request is rightly signed with, by botocore's own reckoning."""
        sent = self.headers["Authorization"]
        key_id = re.search(r"Credential=([^/]+)/\d{8}/eu-west-1/%s/aws4_request" % service, sent).group(1)
        secret, token, expires = Amazon.keys[key_id]
        assert self.headers["X-Amz-Security-Token"] == token, "another token than the key's"
        signed = sent.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = botocore.awsrequest.AWSRequest(
            "POST", f"http://{self.headers['Host']}{self.path}", data=body,
            headers={name: self.headers[name] for name in signed if name not in ("host", "x-amz-date")},
        )
        signing = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key_id, secret), service, "eu-west-1")
        request.context["timestamp"] = request.headers["X-Amz-Date"] = self.headers["X-Amz-Date"]
        canonical = signing.canonical_request(request)
        signature = signing.signature(signing.string_to_sign(request, canonical), request)
        assert sent.endswith(f"Signature={signature}"), "the signature differs from botocore's"
        assert time.time() < expires, f"{key_id} has expired"
        return key_id

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if "X-Amz-Target" in self.headers:
                self.timestream(body)
            else:
                self.sts(body)
        except Exception as error:  # noqa: BLE001
            Amazon.faults.append(repr(error))
            self.answer(400, json.dumps({"__type": "ValidationException", "Message": str(error)}))

    def timestream(self, body):
        signer, message = self.signer(body, "timestream"), json.loads(body)
        if "QueryString" in message:
            columns = [{"Name": "time", "Type": {"ScalarType": "TIMESTAMP"}}]
            self.answer(200, json.dumps({"QueryId": "A1", "Rows": [], "ColumnInfo": columns}))
            return
        Amazon.calls.append((message["TableName"], signer))
        self.answer(200, json.dumps({"RecordsIngested": {"Total": 1, "MemoryStore": 1, "MagneticStore": 0}}))

    def sts(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        assert form["Version"] == "2011-06-15" and self.headers["Content-Type"].startswith("application/x-www-form")
        if form["Action"] == "AssumeRoleWithWebIdentity":
            assert "Authorization" not in self.headers
            assert form["WebIdentityToken"] in Amazon.tokens
            assert form["RoleArn"] == f"{ROLE}/irsa" and form["RoleSessionName"] == "pod"
            kind = "irsa"
        else:
            signer = self.signer(body, "sts")
            kind = form["RoleArn"].rpartition("/")[2]
            if kind == "denied":
                error = "<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>"
                self.answer(403, f"<ErrorResponse>{error}</ErrorResponse>")
                return
            if kind == "writer":
                assert signer.startswith("ASIAINSTANCE")
                assert form["ExternalId"] == "search" and form["RoleSessionName"] == "timestream-gateway-role"
                assert form["Tags.member.1.Key"] == "team" and form["Tags.member.1.Value"] == "b c/ü"
        key_id, secret, token, expires = self.issue(kind)
        action = form["Action"]
        self.answer(
            200,
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}"
            f"</SessionToken><Expiration>{expires}</Expiration></Credentials></{action}Result></{action}Response>",
        )

    def do_PUT(self):  # noqa: N802
        self.answer(200 if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600" else 400, "imds-token")

    def do_GET(self):  # noqa: N802
        base = "/latest/meta-data/iam/security-credentials/"
        if self.path == "/container":
            self.answer(*((200, self.document("container")) if self.headers["Authorization"] == "agent-token" else (401, "")))
        elif self.headers["X-aws-ec2-metadata-token"] != "imds-token":
            self.answer(401, "")
        else:
            self.answer(200, {base: "gateway", base + "gateway": self.document("instance")}[self.path])

    def document(self, kind):
        key_id, secret, token, expires = self.issue(kind)
        return json.dumps(
            {"Code": "Success", "AccessKeyId": key_id, "SecretAccessKey": secret, "Token": token, "Expiration": expires}
        )

    def answer(self, status, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def amazon():
    Amazon.reset()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Amazon)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def sample(n):
    return [({"__name__": "up", "n": str(n)}, [(1.0, int(time.time() * 1000))])]


def test_writes_go_on_while_every_kind_of_credentials_rotates(amazon, tmp_path, monkeypatch):
    def replace_token(n):
        # As kubelet does it: whoever reads has the old one or the new one. One before is good for a while.
        token = f"web.identity.{n}"
        Amazon.tokens = [*Amazon.tokens[-1:], token]
        (tmp_path / "new").write_text(token)
        (tmp_path / "new").rename(tmp_path / "token")

    replace_token(0)
    (tmp_path / "agent").write_text("agent-token")
    for name, value in {
        "AWS_WEB_IDENTITY_TOKEN_FILE": tmp_path / "token", "AWS_ROLE_ARN": f"{ROLE}/irsa", "AWS_ROLE_SESSION_NAME": "pod",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{amazon}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": tmp_path / "agent",
    }.items():
        monkeypatch.setenv(name, str(value))
    tenants = f"""
    role:
      database: production
      table: role
      auth: none
      credentials:
        role_arn: "{ROLE}/writer"
        external_id: search
        tags: {{team: "b c/ü"}}
        source: {{from: instance}}
    pod: {{database: production, table: pod, auth: none, credentials: {{from: container}}}}
    irsa: {{database: production, table: irsa, auth: none, credentials: {{from: web_identity}}}}
    denied:
      database: production
      table: denied
      auth: none
      credentials:
        role_arn: "{ROLE}/denied"
        source: {{access_key_id: {FIXED[0]}, secret_access_key: "{FIXED[1]}"}}
    """
    timestream = (
        f'backend: aws, region: eu-west-1, write_endpoint: "{amazon}", query_endpoint: "{amazon}", '
        f'sts_endpoint: "{amazon}", metadata_endpoint: "{amazon}", proxy: "http://127.0.0.1:1"'
    )
    with Gateway(tmp_path / "gateway", tenants=tenants, timestream=timestream) as gateway:
        end, answers, n = time.monotonic() + 3.5 * LIFETIME, [], 0
        while time.monotonic() < end:
            n += 1
            if n % 20 == 0:
                replace_token(n)
            for tenant in ("role", "pod", "irsa"):
                answers.append((tenant, gateway.write(f"/t/{tenant}/write", sample(n)).status_code))
            time.sleep(0.02)
        assert Amazon.faults == []
        assert [answer for answer in answers if answer[1] != 204] == []

        refused = gateway.write("/t/denied/write", sample(0))
        assert refused.status_code == 503 and "Retry-After" in refused.headers
        assert gateway.metric("gateway_credentials_refreshes_total", tenant="denied", result="refused") >= 1
        for tenant, source in (("role", "assumed_role"), ("pod", "container"), ("irsa", "web_identity")):
            used = {signer for table, signer in Amazon.calls if table == tenant}
            assert len(used) >= 3, f"{tenant} used {used}"
            expiry = gateway.metric("gateway_credentials_expiry_timestamp_seconds", tenant=tenant, source=source)
            assert time.time() - 1 < expiry <= time.time() + LIFETIME
            assert gateway.metric("gateway_credentials_refreshes_total", tenant=tenant, result="ok") >= 3
        shown = gateway.log() + http_get(f"http://127.0.0.1:{gateway.admin_port}/metrics")[1]
        for secret, token, _ in Amazon.keys.values():
            assert secret not in shown and (token is None or token not in shown)
        assert "web.identity" not in shown and "agent-token" not in shown
        assert 'source=assumed_role' in gateway.log() and "AccessDenied: not for you" in gateway.log()
        assert gateway.stop() == 0


def test_a_process_hands_out_keys_that_the_local_engine_takes(tmp_path, monkeypatch):
    pool = [(f"AKIDPROCESS{n:05}", f"hush{n}secret") for n in range(4)]
    port = free_port()
    engine = Child(
        [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", tmp_path / "data"]
        + [part for key in pool for part in ("--key", f"{key[0]}:{key[1]}:production/prometheus")],
        tmp_path / "engine.log",
    )
    script = tmp_path / "vend.py"
    script.write_text(
        "import datetime, json, pathlib, sys\n"
        "count = pathlib.Path(sys.argv[1]); n = len(count.read_text()) if count.exists() else 0\n"
        "count.write_text('x' * (n + 1))\n"
        f"key = {pool!r}[n % {len(pool)}]\n"
        f"expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds={LIFETIME})\n"
        "print(json.dumps(dict(Version=1, AccessKeyId=key[0], SecretAccessKey=key[1], Expiration=expires.isoformat())))\n"
    )
    (tmp_path / "config").write_text(
        f"[profile vended]\ncredential_process = python3 '{script}' \"{tmp_path}/count of calls\"\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    tenants = "vended: {database: production, table: prometheus, auth: none, credentials: {profile: vended}}"
    endpoint = f"http://127.0.0.1:{port}"
    timestream = f'backend: aws, region: eu-west-1, write_endpoint: "{endpoint}", query_endpoint: "{endpoint}"'
    try:
        eventually(lambda: http_get(endpoint)[0] != 0, what="the engine listens")
        operator = boto3.client(
            "timestream-write", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id=pool[0][0],
            aws_secret_access_key=pool[0][1],
        )
        operator.create_database(DatabaseName="production")
        operator.create_table(DatabaseName="production", TableName="prometheus")
        with Gateway(tmp_path / "gateway", tenants=tenants, timestream=timestream) as gateway:
            end, statuses, n = time.monotonic() + 3 * LIFETIME, [], 0
            while time.monotonic() < end:
                n += 1
                statuses.append(gateway.write("/t/vended/write", sample(n)).status_code)
                time.sleep(0.02)
            assert set(statuses) == {204}
            now = int(time.time() * 1000)
            series = gateway.read("/t/vended/read", now - 60_000, now, (0, "__name__", "up"))
            assert len(series) == n
            assert gateway.metric("gateway_credentials_refreshes_total", tenant="vended", result="ok") >= 3
            assert "hush" not in gateway.log()
    finally:
        engine.stop()
