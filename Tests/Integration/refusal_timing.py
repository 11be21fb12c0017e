"""Measures whether the time of a refusal tells a tenant that exists from one that does not.

    GATEWAY_BINARY=... python Tests/Integration/refusal_timing.py [--rounds 500] [--cost 10]

Not a test: it says what it measured, and leaves the judgement to the reader. Each round sends one request of each kind, in
an order of its own, each with a password of its own, so that none is remembered and none is shared. `told apart` is the
chance to guess right which of two requests named an existing tenant when only their times are known: 0.50 is pure chance.
"""

import argparse
import base64
import http.client
import pathlib
import random
import statistics
import sys
import tempfile
import time

import bcrypt

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.gateway import Gateway  # noqa: E402

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "Content-Length": "0"}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


KINDS = {
    "known tenant, wrong password": lambda turn: ("known", basic("known", f"wrong-{turn}")),
    "known tenant, unknown user": lambda turn: ("known", basic("nobody", f"wrong-{turn}")),
    "known tenant without passwords": lambda turn: ("token", basic("known", f"wrong-{turn}")),
    "unknown tenant": lambda turn: ("unknown", basic("known", f"wrong-{turn}")),
    "another unknown tenant each time": lambda turn: (f"unknown-{turn}", basic("known", f"wrong-{turn}")),
    "known tenant, wrong token": lambda turn: ("token", f"Bearer wrong-{turn}"),
    "unknown tenant, wrong token": lambda turn: ("unknown", f"Bearer wrong-{turn}"),
    "known tenant, no proof": lambda turn: ("known", None),
    "unknown tenant, no proof": lambda turn: ("unknown", None),
}
PAIRS = [
    ("known tenant, wrong password", "unknown tenant"),
    ("known tenant, wrong password", "another unknown tenant each time"),
    ("known tenant, wrong password", "known tenant, unknown user"),
    ("known tenant without passwords", "unknown tenant"),
    ("known tenant, wrong token", "unknown tenant, wrong token"),
    ("known tenant, no proof", "unknown tenant, no proof"),
]


def measure(port, rounds):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = {kind: [] for kind in KINDS}
    for turn in range(-5, rounds):
        for kind in random.sample(list(KINDS), len(KINDS)):
            tenant, proof = KINDS[kind](turn)
            headers = HEADERS | ({"Authorization": proof} if proof else {})
            start = time.perf_counter()
            connection.request("POST", f"/t/{tenant}/api/v1/write", headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            duration = time.perf_counter() - start
            assert answer.status == 401, (kind, answer.status, text)
            if turn >= 0:
                times[kind].append(duration * 1000)
    return times


def told_apart(left, right):
    """The area under the curve of a guess by time, folded to 0.5 and above; ties count half."""
    marked = sorted([(value, 0) for value in left] + [(value, 1) for value in right])
    rank_sum = sum(rank for rank, (_, side) in enumerate(marked, 1) if side == 0)
    area = (rank_sum - len(left) * (len(left) + 1) / 2) / (len(left) * len(right))
    return max(area, 1 - area)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--cost", type=int, default=10)
    options = parser.parse_args()
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(options.cost)).decode()
    tenants = f"""
    known: {{database: known, table: metrics, auth: {{basic: [{{username: known, password_hash: "{hashed}"}}]}}}}
    token: {{database: token, table: metrics, auth: {{bearer: [{{token_sha256: "{"0" * 64}"}}]}}}}
    """
    server = "limits: {failed_passwords_per_second: unlimited}"
    with tempfile.TemporaryDirectory() as folder, Gateway(folder, tenants=tenants, server=server) as gateway:
        times = measure(gateway.port, options.rounds)
    print(f"milliseconds of {options.rounds} refusals each, interleaved; bcrypt cost {options.cost}")
    print(f"{'':36}{'median':>9}{'p90':>9}{'p99':>9}")
    for kind, values in times.items():
        ends = statistics.quantiles(values, n=100)
        print(f"{kind:36}{statistics.median(values):9.3f}{ends[89]:9.3f}{ends[98]:9.3f}")
    print("\ntold apart")
    for left, right in PAIRS:
        print(f"{told_apart(times[left], times[right]):.3f}  {left} / {right}")


if __name__ == "__main__":
    main()
