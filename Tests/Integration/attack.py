"""Attacks a gateway for a while in many ways at once, beside honest tenants, and tells what those and the machine saw of it.

    python Tests/Integration/attack.py --seconds 900

Attackers are processes of their own, each of which makes one attack after the other, chosen at random. Meanwhile honest
tenants write and read over connections that they keep, and over new ones. Every honest request must be answered 204 or 200
in time, what was written must be read back, memory must stay under its bound and not grow steadily, and when the attackers
are gone, so must be all that they took. Nothing of theirs may be stored.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
import types

import requests

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import protocol  # noqa: E402
from support.attacks import BOMBS, CONTROL_FRAMES, FLOODS, READS, VERSION_2_BOMBS, snappy  # noqa: E402
from support.gateway import READ_HEADERS, WRITE_HEADERS, Gateway  # noqa: E402
from support.hostile import (  # noqa: E402
    DATA, END_STREAM, HONEST_TOKEN, NOW, Http2, client_hello, connect, descriptors, frame, head, request_fields, reset,
    resident_kib, send, settings, tenants,
)
from support.pki import Authority  # noqa: E402
from support.process import eventually  # noqa: E402

IN_FLIGHT = 128 << 20
MAX_CONNECTIONS = 400
# As docs/operations.md says: the budget, 96 MiB, and 55 KiB for each connection.
MEMORY_KIB = ((IN_FLIGHT + (96 << 20)) >> 10) + 55 * MAX_CONNECTIONS
ATTACKERS, WRITERS, READERS = 3, 2, 1
SERVER = f"""
limits: {{max_bytes_in_flight: {IN_FLIGHT}, max_connections: {MAX_CONNECTIONS}, handshakes_per_second: 500}}
timeouts: {{handshake: 2s, header: 1500ms, body: 2s, idle: 10s}}
"""


# Attacks: each takes a second or two


def floods(gateway, chance):
    attack = chance.choice(FLOODS)
    with Http2(gateway, timeout=5) as peer:
        attack(peer)
        with contextlib.suppress(AssertionError):
            peer.end()


def control_frames(gateway, chance):
    frames = chance.choice(list(CONTROL_FRAMES.values()))
    with Http2(gateway, receive_buffer=4096, timeout=2) as peer:
        end = time.monotonic() + 1
        while time.monotonic() < end and peer.send(frames * 1000):
            pass


def bombs(gateway, chance):
    made, headers = chance.choice([(BOMBS, {}), (VERSION_2_BOMBS, protocol.VERSION_2)])
    body = chance.choice(list(made.values()))()
    body = body if made is BOMBS else snappy(body)
    for _ in range(3):
        gateway.post("/t/open/write", body, WRITE_HEADERS | headers)


def reads(gateway, chance):
    gateway.post("/t/open/read", snappy(chance.choice(list(READS.values()))()), READ_HEADERS)


def slow_heads_and_bodies(gateway, chance):
    peers = [connect(gateway) for _ in range(20)]
    for peer in peers:
        send(peer, chance.choice([b"", head("Content-Length: 30000000"), head("Transfer-Encoding: chunked")]))
    for _ in range(25):
        for peer in peers:
            send(peer, b"x")
        time.sleep(0.1)
    for peer in peers:
        peer.close()


def streams_that_never_end(gateway, chance):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Http2(gateway)) for _ in range(5)]
        for peer in peers:
            peer.send(b"".join(peer.request(stream, ends=False) for stream in range(1, 257, 2)))
            peer.send(b"".join(frame(DATA, stream, b"x" * chance.randrange(1, 16_000)) for stream in range(1, 257, 2)))
        time.sleep(2.5)


def answers_that_nobody_reads(gateway, chance):
    accept = chance.choice([protocol.SAMPLES, protocol.STREAMED_XOR_CHUNKS])
    body = protocol.encode(protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "large"), accept=[accept]))
    if chance.random() < 0.5:
        with Http2(gateway, first=settings(initial_window_size=0)) as peer:
            for stream in (1, 3, 5):
                fields = request_fields("/t/open/read")
                peer.send(peer.request(stream, fields, ends=False) + frame(DATA, stream, body, END_STREAM))
            time.sleep(3)
    else:
        peers = [connect(gateway, receive_buffer=4096) for _ in range(3)]
        for peer in peers:
            send(peer, head(f"Content-Length: {len(body)}", path="/t/open/read") + body)
        time.sleep(3)
        for peer in peers:
            peer.close()


def handshakes(gateway, chance):
    hello = client_hello()
    for _ in range(150):
        with contextlib.suppress(OSError):
            peer = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
            send(peer, hello[: chance.choice([1, 100, len(hello)])])
            chance.choice([reset, socket.socket.close])(peer)


def connections(gateway, chance):
    """Fewer than there may be: who keeps every place taken keeps others out, be it with the best of manners."""
    peers = []
    for _ in range(80):
        with contextlib.suppress(OSError):
            peers.append(socket.create_connection(("127.0.0.1", gateway.port), timeout=5))
    time.sleep(chance.random() * 2)
    for peer in peers:
        peer.close()


def noise(gateway, chance):
    for _ in range(10):
        with contextlib.suppress(OSError):
            peer = connect(gateway, alpn=chance.choice([None, "h2"])) if chance.random() < 0.7 else socket.create_connection(
                ("127.0.0.1", gateway.port), timeout=5
            )
            for _ in range(chance.randrange(1, 100)):
                if not send(peer, chance.randbytes(chance.randrange(1, 20_000))):
                    break
            peer.close()


def strangers(gateway, chance):
    """No proof, wrong proof, nobody's tenant."""
    for _ in range(30):
        tenant = chance.choice(["honest", "nobody", "%2e%2e", "open/../honest", "x" * 100])
        token = f"Bearer {chance.random()}"
        gateway.post(f"/t/{tenant}/write", b"\0" * chance.randrange(10_000), WRITE_HEADERS | {"Authorization": token})


ATTACKS = [
    floods, control_frames, bombs, reads, slow_heads_and_bodies, streams_that_never_end, answers_that_nobody_reads, handshakes,
    connections, noise, strangers,
]


class Target(types.SimpleNamespace):
    """What an attacker's process knows of the gateway."""

    tls = True

    def post(self, path, body, headers):
        with contextlib.suppress(requests.RequestException):
            # A connection for each: what a keeping client does is what the honest ones do.
            requests.post(f"https://127.0.0.1:{self.port}{path}", data=body, headers=headers, timeout=30, verify=False)


def attacker(port, seed, end, counts):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Real ones have machines of their own.
    os.nice(10)
    import warnings

    warnings.simplefilter("ignore")
    chance = random.Random(seed)
    target = Target(port=port)
    left = []
    while time.monotonic() < end:
        # Each as often as any other.
        left = left or chance.sample(range(len(ATTACKS)), len(ATTACKS))
        number = left.pop()
        # Refused connections and ended ones are what an attacker gets.
        with contextlib.suppress(OSError):
            ATTACKS[number](target, chance)
        with counts.get_lock():
            counts[number] += 1


# Honest tenants


class Elsewhere(requests.adapters.HTTPAdapter):
    """From an address that no attacker has."""

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=("127.0.0.9", 0), **options)


class Honest(threading.Thread):
    """Writes samples, and now and then reads them back; every tenth time over a new connection."""

    def __init__(self, number, gateway, ca, until, reads):
        super().__init__()
        self.number, self.gateway, self.ca, self.until, self.reads = number, gateway, str(ca), until, reads
        self.statuses, self.seconds, self.failures, self.written = {}, [], [], 0

    def run(self):
        session = requests.Session()
        session.mount("https://", Elsewhere())
        session.headers["Authorization"] = f"Bearer {HONEST_TOKEN}"
        sequence = 0
        while not self.until.is_set():
            sequence += 1
            if sequence % 10 == 0:
                session.close()
            self.turn(session, sequence)
            self.until.wait(0.05)
        session.close()

    def turn(self, session, sequence):
        name = {"__name__": "honest", "writer": str(self.number)}
        series = [(name | {"n": str(n)}, [(float(sequence), NOW + sequence)]) for n in range(20)]
        body = protocol.encode(protocol.write_request(series))
        if self.call(session, "/t/honest/write", body, WRITE_HEADERS, 204) is None:
            return
        self.written += 20
        if self.reads:
            matchers = [(protocol.EQ, label, value) for label, value in name.items()]
            request = protocol.read_request(NOW + sequence, NOW + sequence, *matchers)
            answer = self.call(session, "/t/honest/read", protocol.encode(request), READ_HEADERS, 200)
            if answer is not None:
                (result,) = protocol.decode_read(answer.content)
                wanted = [(protocol.bits(float(sequence)), NOW + sequence)]
                if len(result) != 20 or any(samples != wanted for samples in result.values()):
                    self.failures.append(f"batch {sequence} is not read back: {len(result)} series")

    def call(self, session, path, body, headers, wanted):
        start = time.monotonic()
        try:
            answer = session.post(self.gateway.url + path, data=body, headers=headers, timeout=30, verify=self.ca)
        except requests.RequestException as error:
            self.failures.append(f"after {time.monotonic() - start:.1f} s: {error}")
            return None
        self.seconds.append(time.monotonic() - start)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code == wanted:
            return answer
        self.failures.append(f"{answer.status_code}: {answer.text[:300]}")
        return None


def kept_descriptors(gateway, pid):
    """What is open for peers and for the process itself.

    Without the local engine's: the files that it opens once for each of its readers, and the calls to it, both of whose
    ends are in the process.
    """
    own = 0
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            own += str(gateway.folder / "timestream") not in os.readlink(f"/proc/{pid}/fd/{descriptor}")
    return own - 2 * int(gateway.metric("gateway_upstream_connections"))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def watch(pid, end, seconds):
    """Resident KiB twice a second; a line of it now and then."""
    memory, start, told = [], time.monotonic(), 0
    while time.monotonic() < end:
        memory.append(resident_kib(pid))
        elapsed = time.monotonic() - start
        if elapsed >= told * max(seconds / 15, 10):
            print(f"{elapsed:5.0f} s  {memory[-1] >> 10} MiB  {descriptors(pid)} descriptors", flush=True)
            told += 1
        time.sleep(0.5)
    return memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--p99", type=float, default=3, help="what the slowest hundredth of honest requests may take, in s")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = Authority(folder / "pki", "Attack CA")
        server = authority.issue("server", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
        # One call of the local engine is a line at `info`.
        gateway = stack.enter_context(
            Gateway(
                folder / "gateway", tenants=tenants(folder), server=SERVER, log_level="notice",
                tls=f"certificate: {server[0]}, private_key: {server[1]}",
            )
        )
        pid = gateway.child.process.pid
        generator = random.Random(options.seed)
        for begin in range(0, 5000, 500):
            series = [
                ({"__name__": "large", "text": f"{n} " + generator.randbytes(900).hex()}, [(1.0, NOW)])
                for n in range(begin, begin + 500)
            ]
            answer = gateway.write("/t/open/write", series, verify=str(authority.certificate))
            assert answer.status_code == 204, answer.text
        stored = gateway.metric("gateway_samples_stored_total", tenant="open")

        until = threading.Event()
        honest = [Honest(n, gateway, authority.certificate, until, n >= WRITERS) for n in range(WRITERS + READERS)]
        stack.callback(until.set)
        for thread in honest:
            thread.start()
        time.sleep(1)
        first_descriptors = kept_descriptors(gateway, pid)

        context = multiprocessing.get_context("spawn")
        counts = context.Array("q", len(ATTACKS))
        end = time.monotonic() + options.seconds
        attackers = [
            context.Process(target=attacker, args=(gateway.port, options.seed + n, end, counts)) for n in range(ATTACKERS)
        ]
        for process in attackers:
            process.start()
        memory = watch(pid, end, options.seconds)
        for process in attackers:
            process.join(120)
            assert process.exitcode == 0, f"an attacker ended with {process.exitcode}"

        # What they have left behind ends by itself.
        eventually(
            lambda: gateway.metric("gateway_listener_connections", listener="data") <= len(honest), within=30,
            what="the attackers' connections are closed",
        )
        eventually(lambda: gateway.metric("gateway_bytes_in_flight") < 1 << 20, what="the memory of bodies is given back")
        time.sleep(1)
        last_descriptors, last_kib = kept_descriptors(gateway, pid), resident_kib(pid)
        until.set()
        for thread in honest:
            thread.join()
        stored = gateway.metric("gateway_samples_stored_total", tenant="open") - stored
        refusals = {
            reason: int(gateway.metric("gateway_listener_peer_faults_total", listener="data", reason=reason))
            for reason in ("malformed", "headers_too_large", "headers_timed_out", "body_timed_out", "answer_timed_out", "flood")
        }
        kept = gateway.metric("gateway_samples_stored_total", tenant="honest")
        assert gateway.stop() == 0, "the gateway does not end cleanly"

    statuses = {}
    for thread in honest:
        for status, count in thread.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    seconds = [value for thread in honest for value in thread.seconds]
    failures = [failure for thread in honest for failure in thread.failures]
    written = sum(thread.written for thread in honest)
    made = {attack.__name__: counts[number] for number, attack in enumerate(ATTACKS)}
    p99 = percentile(seconds, 0.99)
    second, last = (statistics.median(memory[len(memory) * n // 4 : len(memory) * (n + 1) // 4]) for n in (1, 3))
    print(f"attacks {sum(made.values())}: {made}")
    print(f"ended for it: {refusals}")
    print(f"honest answers {statuses}, {len(failures)} failures; p50 {statistics.median(seconds) * 1000:.0f} ms, "
          f"p99 {p99 * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms")
    print(f"resident: most {max(memory) >> 10} MiB of {MEMORY_KIB >> 10} allowed; median of the second quarter "
          f"{second / 1024:.0f} MiB, of the last {last / 1024:.0f} MiB; {last_kib >> 10} MiB afterwards")
    print(f"descriptors: {first_descriptors} before, {last_descriptors} afterwards")

    assert not failures, f"{len(failures)} honest requests failed: {failures[:5]}"
    assert kept == written, f"{written} samples were acknowledged, {kept} are counted"
    assert p99 <= options.p99, f"p99 of honest requests is {p99:.2f} s"
    assert max(memory) <= MEMORY_KIB, "more memory than allowed"
    # Of a short run the quarters tell of the attacks that fell into them.
    assert options.seconds < 300 or last <= second * 1.15 + (8 << 10), "memory grows steadily"
    assert last_descriptors <= first_descriptors + 3, "descriptors are left"
    assert stored == 0, f"{stored} samples of attackers are stored"
    assert all(made.values()) or options.seconds < 60, f"some attack was never made: {made}"


if __name__ == "__main__":
    main()
