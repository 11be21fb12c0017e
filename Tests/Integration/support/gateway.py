"""A gateway under test: its configuration, its process, and requests to it."""

import json
import os
import pathlib
import textwrap

import requests

from support import protocol
from support.process import Child, eventually, free_port, http_get

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("GATEWAY_BINARY", ROOT / ".build/release/timestream-gateway")).resolve()

WRITE_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
READ_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}


class Gateway:
    """One process with the embedded local engine, or with the store that `timestream` names."""

    def __init__(self, folder, *, tenants, tls=None, server="", timestream=None, defaults="", log_level="info", log_format="logfmt",
                 open_files=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port, self.engine_port = free_port(), free_port(), free_port()
        self.tls = tls
        self.log_level, self.log_format = log_level, log_format
        # The soft and the hard limit that the process begins with.
        self.open_files = open_files
        self.config = self.folder / "tenants.yaml"
        self.child = None
        if timestream is None:
            timestream = (
                f"backend: local, local: {{directory: {self.folder}/timestream, "
                f'listen: "127.0.0.1:{self.engine_port}"}}'
            )
        lines = [
            "version: 1",
            "server:",
            f'  listen: "127.0.0.1:{self.port}"',
            f'  admin: {{listen: "127.0.0.1:{self.admin_port}"}}',
        ]
        if tls:
            lines.append(f"  tls: {{{tls}}}")
        text = "\n".join(lines) + "\n"
        text += textwrap.indent(textwrap.dedent(server).strip(), "  ") + "\n"
        text += f"timestream: {{{timestream}}}\n"
        if defaults:
            text += "defaults:\n" + textwrap.indent(textwrap.dedent(defaults).strip(), "  ") + "\n"
        text += "tenants:\n" + textwrap.indent(textwrap.dedent(tenants).strip(), "  ") + "\n"
        self.config.write_text(text)

    # Process

    def start(self):
        command = [BINARY, "serve", "--config", self.config, "--log.level", self.log_level]
        command += ["--log.format", self.log_format]
        if self.open_files:
            command = ["prlimit", "--nofile={}:{}".format(*self.open_files), *command]
        self.child = Child(command, self.folder / "gateway.log", cwd=self.folder)

        def is_ready():
            assert self.child.is_running(), f"the gateway ended:\n{self.child.log()}"
            return http_get(f"http://127.0.0.1:{self.admin_port}/-/ready")[0] == 200

        eventually(is_ready, what="the gateway is ready")
        return self

    def stop(self):
        return self.child.stop()

    def kill(self):
        self.child.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.child.is_running():
            self.child.stop()

    def log(self):
        return self.child.log()

    # Requests

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def engine_url(self):
        return f"http://127.0.0.1:{self.engine_port}"

    def write(self, path, series, **options):
        """Sends series (or a message, or ready bytes with `raw=`); the answer."""
        raw = options.pop("raw", None)
        if raw is None:
            message = series if hasattr(series, "SerializeToString") else protocol.write_request(series)
            raw = protocol.encode(message)
        headers = WRITE_HEADERS | options.pop("headers", {})
        return requests.post(self.url + path, data=raw, headers=headers, timeout=30, **options)

    def read_raw(self, path, message, **options):
        headers = READ_HEADERS | options.pop("headers", {})
        body = message if isinstance(message, bytes) else protocol.encode(message)
        return requests.post(self.url + path, data=body, headers=headers, timeout=60, **options)

    def read(self, path, start, end, *matchers, **options):
        """The series that a query of these matchers finds."""
        answer = self.read_raw(path, protocol.read_request(start, end, *matchers), **options)
        assert answer.status_code == 200, answer.text
        (result,) = protocol.decode_read(answer.content)
        return result

    def metric(self, name, **labels):
        """The value of a series of `/metrics`; None if there is none."""
        status, text = http_get(f"http://127.0.0.1:{self.admin_port}/metrics")
        assert status == 200
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        for line in text.splitlines():
            if line.startswith(("#", "\n")) or not line.startswith(name):
                continue
            head, _, value = line.rpartition(" ")
            found, _, rest = head.partition("{")
            if found == name and wanted <= set(rest.rstrip("}").split(",")) | {""}:
                return float(value)
        return None

    def engine_log(self, operation):
        """The local engine's log lines of one operation."""
        return [line for line in self.log().splitlines() if "caller=local" in line and operation in line]


def check(config, *, env=None):
    """Runs `check`: exit code and all output."""
    import subprocess

    result = subprocess.run(
        [BINARY, "check", "--config", config], capture_output=True, text=True, timeout=30, check=False, env=env
    )
    return result.returncode, result.stdout + result.stderr


def json_text(value):
    return json.dumps(value, sort_keys=True)
