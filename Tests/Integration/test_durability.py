"""What was acknowledged is there after `kill -9`."""

import threading
import time

import requests

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
TENANTS = """
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  auth: none
"""


def test_kill_in_the_middle_of_writing_loses_no_acknowledged_sample(tmp_path):
    gateway = Gateway(tmp_path, tenants=TENANTS).start()
    acknowledged = [[] for _ in range(8)]

    def writer(number):
        batch = 0
        while True:
            labels = {"__name__": "durable", "writer": str(number), "batch": str(batch)}
            series = [(labels | {"n": str(n)}, [(float(n), NOW + batch)]) for n in range(150)]
            try:
                status = gateway.write("/t/demo/write", series).status_code
            except requests.exceptions.RequestException:
                return
            assert status == 204
            acknowledged[number].append(batch)
            batch += 1

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(len(acknowledged))]
    for thread in threads:
        thread.start()
    time.sleep(2)
    gateway.kill()
    for thread in threads:
        thread.join(30)
    assert min(map(len, acknowledged)) > 0

    gateway.start()
    try:
        for number, batches in enumerate(acknowledged):
            found = gateway.read(
                "/t/demo/read", 0, NOW * 2, (protocol.EQ, "__name__", "durable"), (protocol.EQ, "writer", str(number))
            )
            for batch in batches:
                for n in range(150):
                    labels = {"__name__": "durable", "writer": str(number), "batch": str(batch), "n": str(n)}
                    assert found[protocol.key(labels)] == [(protocol.bits(float(n)), NOW + batch)]
    finally:
        gateway.stop()


def test_a_drain_finishes_what_is_under_way_and_ends_with_0(tmp_path):
    gateway = Gateway(tmp_path, tenants=TENANTS).start()
    statuses = []

    def writer(number):
        for batch in range(1000):
            series = [({"__name__": "drained", "w": str(number), "b": str(batch)}, [(1.0, NOW)])]
            try:
                statuses.append((number, batch, gateway.write("/t/demo/write", series).status_code))
            except requests.exceptions.RequestException:
                return

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert gateway.stop() == 0
    for thread in threads:
        thread.join(30)
    assert "draining" in gateway.log() and "stopped" in gateway.log()
    stored = {(number, batch) for number, batch, status in statuses if status == 204}
    assert stored and {status for *_, status in statuses} <= {204, 503}

    gateway.start()
    try:
        found = gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "drained"))
        there = {(int(dict(labels)[b"w"]), int(dict(labels)[b"b"])) for labels in found}
        assert stored <= there
    finally:
        gateway.stop()
