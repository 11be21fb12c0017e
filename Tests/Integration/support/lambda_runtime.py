"""AWS Lambda's runtime API, as its documentation has it, with a queue of events behind it."""

import http.server
import json
import pathlib
import queue
import threading
import time
import uuid

from support.process import Child

EVENTS = pathlib.Path(__file__).resolve().parents[2] / "App" / "LambdaRuntimeTests" / "Events"


def event(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


class RuntimeAPI:
    """`invoke` hands out an event and waits for what the function posts."""

    def __init__(self):
        self.waiting = queue.Queue()
        self.posted = queue.Queue()
        self.init_errors = queue.Queue()
        # When the function first asked for an event.
        self.asked = None
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):  # noqa: N802
                assert self.path == "/2018-06-01/runtime/invocation/next", self.path
                double.asked = double.asked or time.monotonic()
                item = double.waiting.get()
                if item is None:
                    self.close_connection = True
                    return
                request_id, body, deadline = item
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:connector"
                )
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                parts = self.path.removeprefix("/2018-06-01/runtime/").split("/")
                if parts == ["init", "error"]:
                    double.init_errors.put((self.headers["Lambda-Runtime-Function-Error-Type"], json.loads(body)))
                    self._accept(202)
                elif parts[0] == "invocation" and parts[2] in ("response", "error"):
                    # Documented: 413 for what is too large.
                    self._accept(413 if len(body) > 6_291_556 else 202)
                    double.posted.put((parts[1], parts[2], json.loads(body)))
                else:
                    self._accept(404)

            def _accept(self, status):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def invoke(self, body, *, timeout=30.0):
        """What was posted for an event: `response` or `error`, and the JSON."""
        request_id = str(uuid.uuid4())
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.waiting.put((request_id, raw, int((time.time() + timeout) * 1000)))
        answered, kind, result = self.posted.get(timeout=timeout + 5)
        assert answered == request_id
        return kind, result

    def stop(self):
        self.waiting.put(None)
        self.server.shutdown()
        self.server.server_close()


class Function:
    """The gateway as a function: started without arguments, as `bootstrap` is."""

    def __init__(self, folder, binary, variables, *, command=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.api = RuntimeAPI()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.api.address, "LAMBDA_TASK_ROOT": str(folder), "_HANDLER": "bootstrap",
            "AWS_REGION": "us-east-1", "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023", **variables,
        }
        self.started = time.monotonic()
        self.child = Child(command or [binary], folder / "function.log", cwd=folder, env=environment)

    def invoke(self, body, **options):
        return self.api.invoke(body, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api.stop()
        self.child.stop()
