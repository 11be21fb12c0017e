"""A real Prometheus under our control."""

import pathlib
import shutil

import requests
import yaml

from support.process import Child, eventually, free_port, http_get

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "var" / "tools"
BINARIES = {
    "2.42": TOOLS / "prometheus-2.42" / "usr" / "bin" / "prometheus",
    "3": TOOLS / "prometheus-3" / "usr" / "bin" / "prometheus",
}


class Prometheus:
    def __init__(self, version, folder, config, *arguments):
        self.binary = BINARIES[version]
        self.arguments = arguments
        assert self.binary.exists(), f"{self.binary} is missing; scripts/test installs it"
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.config = self.folder / "prometheus.yml"
        self.set_config(config)
        self.child = None

    def set_config(self, config):
        self.config.write_text(yaml.safe_dump(config))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.child = Child(
            [
                self.binary, f"--config.file={self.config}", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=info", *self.arguments,
            ],
            self.folder / "prometheus.log",
        )

        def is_ready():
            assert self.child.is_running(), self.child.log()
            return http_get(f"{self.url}/-/ready")[0] == 200

        eventually(is_ready, within=30, what="Prometheus is ready")
        return self

    def stop(self):
        return self.child.stop(within=70)

    def empty_storage(self):
        shutil.rmtree(self.folder / "data")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.child.is_running():
            self.stop()

    def _api(self, path, **parameters):
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=60)
        body = answer.json()
        assert body["status"] == "success", body
        return body

    def query(self, expression, time):
        """An instant query's answer, in an order that can be compared, and its warnings."""
        return self._sorted(self._api("query", query=expression, time=time))

    def query_range(self, expression, start, end, step):
        return self._sorted(self._api("query_range", query=expression, start=start, end=end, step=step))

    @staticmethod
    def _sorted(body):
        result = body["data"]["result"]
        if body["data"]["resultType"] in ("vector", "matrix"):
            result = sorted(result, key=lambda series: sorted(series["metric"].items()))
        return result, body.get("warnings", [])

    def metric(self, name):
        """The sum of a metric of its own `/metrics`; None if there is none."""
        _, text = http_get(f"{self.url}/metrics")
        values = [
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((name + "{", name + " "))
        ]
        return sum(values) if values else None
