"""An HTTP API of API Gateway, as its documentation has it, and a proxy that signs for callers who cannot."""

import base64
import contextlib
import datetime
import hashlib
import http.server
import re
import threading
import urllib.parse
import uuid

import botocore.auth
import requests
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SERVICE = "execute-api"
REGION = "us-east-1"
# Of one connection, not of the request: not signed, not passed on.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


class Forbidden(Exception):
    pass


class _Server:
    """A loopback server whose `answer(request)` gives status, headers and body."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def _message(status, text):
    return status, {"Content-Type": "application/json"}, f'{{"message":"{text}"}}'.encode()


class HttpApi(_Server):
    """The API of a stack: its routes with their authorization, its stage, payload 2.0.

    - callers: secret keys of those who may invoke the API, by access key id.
    - domain: whether requests come by a custom domain: then no stage stands before the route, but `mapping` does, the
      key of the domain's API mapping.
    - keeps_mapping: whether the key of the mapping stays in `rawPath`: the documentation says it does not, users that
      it does.
    """

    def __init__(self, function, stack, callers=(), *, domain=False, mapping="", keeps_mapping=False):
        super().__init__(self._answer)
        self.function = function
        self.stage = stack.properties("APIGatewayStage")["StageName"]
        self.routes = stack.routes
        self.callers = dict(callers)
        self.domain, self.mapping, self.keeps_mapping = domain, mapping, keeps_mapping
        # An environment of a function has one event at a time; here there is one environment.
        self.turn = threading.Lock()
        self.events, self.refused = [], []

    @property
    def base(self):
        """What a sender's URL has before the route."""
        before = self.mapping if self.domain else self.stage
        return f"{self.url}/{before}" if before else self.url

    def _answer(self, request):
        path = request.path.partition("?")[0]
        before = f"/{self.mapping if self.domain else self.stage}".rstrip("/")
        if not path.startswith(before + "/"):
            return _message(404, "Not Found")
        route, parameters = self._route(request.command, path.removeprefix(before))
        if route is None:
            return _message(404, "Not Found")
        event = self._event(request, route, parameters, path if self._is_kept else path.removeprefix(before))
        if self.routes[route] == "AWS_IAM":
            try:
                event["requestContext"]["authorizer"] = {"iam": self._caller(request)}
            except Forbidden as reason:
                self.refused.append(str(reason))
                return _message(403, "Forbidden")
        self.events.append(event)
        with self.turn:
            kind, answer = self.function.invoke(event)
        if kind != "response":
            return _message(500, "Internal Server Error")
        body = answer.get("body", "")
        body = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return answer["statusCode"], answer.get("headers", {}), body

    @property
    def _is_kept(self):
        return self.keeps_mapping if self.domain else True

    def _route(self, method, path):
        """The route that matches, with the values of its variables; one without variables goes first."""
        for key in sorted(self.routes, key=lambda key: key.count("{")):
            expected, template = key.split(" ")
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
            found = re.fullmatch(pattern, path)
            if found and expected == method:
                return key, {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()}
        return None, {}

    def _event(self, request, route, parameters, raw_path):
        headers = {}
        for name, value in request.headers.items():
            if name.lower() not in HOP_BY_HOP:
                headers.setdefault(name.lower(), []).append(value)
        headers |= {"x-forwarded-for": ["127.0.0.1"], "x-forwarded-port": ["443"], "x-forwarded-proto": ["https"]}
        now = datetime.datetime.now(datetime.timezone.utc)
        event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": raw_path,
            "rawQueryString": request.path.partition("?")[2],
            "headers": {name: ",".join(values) for name, values in headers.items()},
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "foo9l30",
                "domainName": request.headers["Host"],
                "domainPrefix": "foo9l30",
                "http": {
                    "method": request.command, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                    "userAgent": request.headers.get("User-Agent", ""),
                },
                "requestId": uuid.uuid4().hex[:16],
                "routeKey": route,
                "stage": self.stage,
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "timeEpoch": int(now.timestamp() * 1000),
            },
            "body": base64.b64encode(request.body).decode(),
            "isBase64Encoded": True,
        }
        if parameters:
            event["pathParameters"] = parameters
        return event

    def _caller(self, request):
        """Who has signed the request, by botocore's own computation of the signature."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?"
            r"Signature=([0-9a-f]{64})",
            request.headers.get("Authorization", ""),
        )
        if not found:
            raise Forbidden("no signature")
        key, day, region, service, names, signature = found.groups()
        if (region, service) != (REGION, SERVICE):
            raise Forbidden(f"signed for {service} in {region}")
        if key not in self.callers:
            raise Forbidden(f"nobody has the key {key}")
        names = names.split(";")
        if "host" not in names or "x-amz-date" not in names:
            raise Forbidden("host or date are not signed")
        date = request.headers["X-Amz-Date"]
        moment = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        age = datetime.datetime.now(datetime.timezone.utc) - moment
        if not date.startswith(day) or abs(age.total_seconds()) > 300:
            raise Forbidden(f"signed at {date}")
        digest = request.headers.get("X-Amz-Content-Sha256")
        if digest and digest != hashlib.sha256(request.body).hexdigest():
            raise Forbidden("another body was signed")
        signer = botocore.auth.SigV4Auth(Credentials(key, self.callers[key]), service, region)
        url = f"http://{request.headers['Host']}{request.path}"
        again = AWSRequest(method=request.command, url=url, data=request.body)
        for name in names:
            for value in request.headers.get_all(name, []):
                again.headers.add_header(name, value)
        again.context["timestamp"] = date
        # All that was signed, also what botocore itself would leave out.
        signer.headers_to_sign = lambda signed: signed.headers
        text = signer.string_to_sign(again, signer.canonical_request(again))
        if signer.signature(text, again) != signature:
            raise Forbidden("the signature is wrong")
        return {
            "accessKey": key, "accountId": "123456789012", "callerId": "AIDAEXAMPLE", "cognitoIdentity": None,
            "principalOrgId": "o-example", "userArn": "arn:aws:iam::123456789012:user/prometheus",
            "userId": "AIDAEXAMPLE",
        }


class SigningProxy(_Server):
    """Signs what comes in and passes it on, as aws-sigv4-proxy does with --name execute-api."""

    def __init__(self, upstream, key, secret):
        super().__init__(self._answer)
        self.upstream = upstream
        self.signer = botocore.auth.SigV4Auth(Credentials(key, secret), SERVICE, REGION)

    def _answer(self, request):
        signed = AWSRequest(method=request.command, url=self.upstream + request.path, data=request.body)
        for name, value in request.headers.items():
            if name.lower() not in HOP_BY_HOP | {"host", "content-length"}:
                signed.headers.add_header(name, value)
        self.signer.add_auth(signed)
        with contextlib.closing(
            requests.request(
                request.command, signed.url, data=request.body, headers=dict(signed.headers), timeout=60, stream=True
            )
        ) as answer:
            headers = {
                name: value for name, value in answer.headers.items()
                if name.lower() not in HOP_BY_HOP | {"content-length", "date", "server"}
            }
            # As it came: a body in snappy is the sender's to decompress.
            return answer.status_code, headers, answer.raw.read()
