"""Writes for a while through a gateway whose store fails at random, and then compares what is stored with what was answered.

    python Tests/Integration/soak.py --seconds 600

Between the gateway and a local engine stands a double that answers about 5 % of all calls wrongly, before or after the
engine has stored them, and now and then all of them for some seconds. Every acknowledged sample must be in the store exactly once, and every answer that does not
acknowledge must ask for a repeat.
"""

import argparse
import asyncio
import contextlib
import pathlib
import random
import sys
import tempfile
import threading
import time

import boto3
import botocore.config
import requests

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import protocol  # noqa: E402
from support.faults import CLOSE, RESET, Answer, FaultServer, Raw, error  # noqa: E402
from support.gateway import BINARY, WRITE_HEADERS, Gateway  # noqa: E402
from support.process import Child, eventually, free_port  # noqa: E402

DATABASE, TABLE = "PrometheusDatabase", "soak-table"
NOW = int(time.time() * 1000) - 3_600_000
WRITERS, BATCH = 8, 250


class Engine:
    """Forwards calls to the local engine over kept connections."""

    def __init__(self, port):
        self.port = port
        self.idle = []

    async def forward(self, call):
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{call.method} {call.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in call.headers)
        writer.write(head.encode("latin-1") + b"\r\n" + call.body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        body = await reader.readexactly(length)
        self.idle.append((reader, writer))
        return Answer(int(lines[0].split(" ")[1]), body)


class Faults:
    """What the double does to a call: mostly nothing, and in an outage always something."""

    PERIOD, OUTAGE = 15, 4  # seconds from one outage to the next, and how long it takes

    def __init__(self, engine, share, seed):
        self.engine = engine
        self.share = share
        self.started = time.monotonic()
        self.random = random.Random(seed)
        self.made = {}

    async def __call__(self, call):
        is_outage = self.share > 0 and (time.monotonic() - self.started) % self.PERIOD > self.PERIOD - self.OUTAGE
        if not is_outage and self.random.random() >= self.share:
            return await self.engine.forward(call)
        kind = self.random.choice(
            ["500", "503", "429", "close", "reset", "lost", "cut", "garbage", "late", "stored500", "stored429"]
        )
        self.made[kind] = self.made.get(kind, 0) + 1
        match kind:
            case "500":
                return error(500, "InternalServerException")
            case "503":
                return Answer(503, b"<html>")
            case "429":
                return error(429, "ThrottlingException")
            case "close":
                return CLOSE
            case "reset":
                return RESET
        # The engine has taken it, and the gateway does not hear so.
        answer = await self.engine.forward(call)
        match kind:
            case "lost":
                return RESET
            case "cut":
                answer.cut = self.random.randrange(1, len(answer.bytes()))
            case "garbage":
                return Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
            case "late":
                answer.delay = self.random.choice([0.2, 0.5, 4])
            case "stored500":
                return error(500, "InternalServerException")
            case "stored429":
                return error(429, "ThrottlingException")
        return answer


class Writer(threading.Thread):
    """Sends batches and repeats them as Prometheus does, but gives some up, as Prometheus does when it ends."""

    def __init__(self, number, gateway, end, pause, seed):
        super().__init__()
        self.number, self.gateway, self.end, self.pause = number, gateway, end, pause
        self.random = random.Random(seed)
        self.acknowledged, self.given_up, self.statuses, self.wrong = set(), set(), {}, []

    def run(self):
        session, sequence = requests.Session(), 0
        while time.monotonic() < self.end:
            self.send(session, sequence)
            sequence += 1
            time.sleep(self.pause * self.random.random() * 2)

    def send(self, session, sequence):
        series = [
            ({"__name__": "soak", "writer": str(self.number), "n": str(n)}, [(value(sequence, n), NOW + sequence)])
            for n in range(BATCH)
        ]
        body = protocol.encode(protocol.write_request(series))
        for _ in range(self.random.choice([1, 50, 50, 50])):
            answer = session.post(f"{self.gateway.url}/t/soak/write", data=body, headers=WRITE_HEADERS, timeout=60)
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            if answer.status_code == 204:
                self.acknowledged.add(sequence)
                return
            if answer.status_code != 503 or int(answer.headers.get("Retry-After", 0)) < 1:
                self.wrong.append(f"{answer.status_code}: {answer.text}")
                break
            time.sleep(0.05)
        self.given_up.add(sequence)


def value(sequence, n):
    return sequence * 1000.0 + n


def stored(port, writer):
    """Each row of a writer, as (sequence, n) and value; straight from the engine."""
    client = boto3.client(
        "timestream-query", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id="AKIDSOAK", aws_secret_access_key="soak",
        config=botocore.config.Config(parameter_validation=False),
    )
    statement = (
        f'SELECT "n", to_milliseconds("time"), "measure_value::double" FROM "{DATABASE}"."{TABLE}" '
        f"WHERE \"measure_name\" = 'soak' AND \"writer\" = '{writer}'"
    )
    for page in client.get_paginator("query").paginate(QueryString=statement):
        for row in page["Rows"]:
            n, milliseconds, number = (cell["ScalarValue"] for cell in row["Data"])
            yield (int(milliseconds) - NOW, int(n)), float(number)


def check(writer, port):
    """The number of rows; fails with the first that should not be so."""
    rows = {}
    for place, number in stored(port, writer.number):
        assert place not in rows, f"writer {writer.number}: {place} is stored twice"
        rows[place] = number
        assert number == value(*place), f"writer {writer.number}: {place} is stored as {number}"
        assert place[0] in writer.acknowledged or place[0] in writer.given_up, f"{place} was never sent"
    for sequence in writer.acknowledged:
        missing = [n for n in range(BATCH) if (sequence, n) not in rows]
        assert not missing, f"writer {writer.number}: batch {sequence} was acknowledged, {len(missing)} samples are missing"
    return len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--faults", type=float, default=0.05, help="the share of calls that are answered wrongly")
    parser.add_argument("--samples-per-second", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        engine = Child(
            [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data"], folder / "engine.log"
        )
        stack.callback(lambda: engine.stop() if engine.is_running() else None)
        write = boto3.client(
            "timestream-write", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
            aws_access_key_id="AKIDSOAK", aws_secret_access_key="soak",
        )

        def make_table():
            with contextlib.suppress(botocore.exceptions.EndpointConnectionError):
                write.create_database(DatabaseName=DATABASE)
                write.create_table(DatabaseName=DATABASE, TableName=TABLE)
                return True

        eventually(make_table, what="the engine answers")
        faults = Faults(Engine(port), options.faults, options.seed)
        store = stack.enter_context(FaultServer(faults, keep=False))
        tenant = f"""
            soak:
              database: {DATABASE}
              table: {TABLE}
              credentials: {{access_key_id: AKIDSOAK, secret_access_key: soak}}
              auth: none
              limits: {{request_deadline: 3s, max_wait: 1s, write_requests_per_second: unlimited, samples_per_second: unlimited}}
        """
        endpoints = f'write_endpoint: "{store.url}", query_endpoint: "{store.url}"'
        gateway = Gateway(folder / "gateway", tenants=tenant, timestream=f"backend: aws, region: us-east-1, {endpoints}")
        stack.enter_context(gateway)

        end = time.monotonic() + options.seconds
        pause = WRITERS * BATCH / options.samples_per_second
        writers = [Writer(n, gateway, end, pause, options.seed + n) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        retries = gateway.metric("gateway_timestream_retries_total", tenant="soak")
        assert gateway.stop() == 0, "the gateway does not end cleanly"

        wrong = [line for writer in writers for line in writer.wrong]
        assert not wrong, f"{len(wrong)} answers neither acknowledge nor ask for a repeat: {wrong[:3]}"
        assert all(writer.acknowledged for writer in writers)
        if options.faults:
            assert sum(faults.made.values()) > 0, "no fault was made"
            if options.seconds >= 2 * Faults.PERIOD:
                refused = sum(writer.statuses.get(503, 0) for writer in writers)
                assert refused > 0, "no outage was long enough for a refusal"
        rows = sum(check(writer, port) for writer in writers)
        statuses = {}
        for writer in writers:
            for status, count in writer.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        acknowledged = sum(len(writer.acknowledged) for writer in writers) * BATCH
        print(f"{acknowledged} samples acknowledged, {rows} stored, each once; answers {statuses}")
        print(f"faults {sum(faults.made.values())}, retries {retries:.0f}: {faults.made}")


if __name__ == "__main__":
    main()
