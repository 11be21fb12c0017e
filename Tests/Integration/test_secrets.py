"""What a process that holds secrets leaves behind: no core dump, no keys in memory that are no longer in use."""

import contextlib
import os
import pathlib
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile

import pytest

from support.gateway import BINARY, Gateway, check
from support.process import eventually, free_port, http_get

TENANT = """
alpha:
  database: alpha
  table: prometheus
  credentials: {access_key_id: AKIAALPHA, secret_access_key_file: alpha.secret}
  auth: none
"""


def dumps(folder):
    return [path.name for path in pathlib.Path(folder).iterdir() if path.name.startswith("core")]


def unlimited():
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def left_dump(process):
    """Waits until a signal has ended a process: whether the kernel says that it left a core dump."""

    def ended():
        pid, status = os.waitpid(process.pid, os.WNOHANG)
        return (status,) if pid else None

    (status,) = eventually(ended, what="the end of the process")
    process.returncode = -1
    assert os.WIFSIGNALED(status), status
    return os.WCOREDUMP(status)


def secret_file(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_leaves_no_core_dump(tmp_path, number):
    gateway = Gateway(tmp_path / "gateway", tenants=TENANT)
    secret_file(gateway.folder, "alpha.secret", "secret-of-alpha")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [BINARY, "serve", "--config", gateway.config],
            stdout=log, stderr=log, cwd=gateway.folder, preexec_fn=unlimited,
            # Where Swift's own tools are, they would look at it for half a minute first.
            env=os.environ | {"SWIFT_BACKTRACE": "enable=no"},
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{gateway.admin_port}/-/ready"
            eventually(lambda: http_get(url)[0] == 200, what="the gateway is ready")
            limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
            (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
            assert core.split()[4:6] == ["0", "0"]
            process.send_signal(number)
            assert not left_dump(process)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait(10)
    assert dumps(gateway.folder) == []


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_CORE)[1] == 0
    or pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()[:1] in ("", "|"),
    reason="nothing may leave core dumps here, or a program takes them",
)
def test_another_program_leaves_one_in_the_same_place(tmp_path):
    """Else the test above would prove nothing."""
    process = subprocess.Popen(["sleep", "60"], cwd=tmp_path, preexec_fn=unlimited)
    process.send_signal(signal.SIGSEGV)
    assert left_dump(process)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as somebody else")
def test_other_processes_of_its_user_cannot_look_into_it():
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}

    def read(pid, name):
        command = ["cat", f"/proc/{pid}/{name}"]
        return subprocess.run(command, capture_output=True, timeout=30, check=False, env={}, **nobody).returncode == 0

    with tempfile.TemporaryDirectory(dir="/tmp") as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/data")
        os.chown(f"{folder}/data", 65534, 65534)
        port = free_port()
        ours = [shutil.copy(BINARY, folder), "local", "--listen", f"127.0.0.1:{port}", "--directory", f"{folder}/data"]

        def started(command):
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env={}, **nobody
            )
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            return process.pid

        gateway, sleep = started(ours), started([shutil.which("sleep"), "60"])
        eventually(lambda: http_get(f"http://127.0.0.1:{port}/")[0] != 0, what="the engine answers")
        for name in ("environ", "maps"):
            assert read(sleep, name) and not read(gateway, name), name
        for name in ("status", "stat", "limits"):
            assert read(gateway, name), name


def writable_memory(pid):
    """All memory of a process that it can write to."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            ends, modes = line.split()[:2]
            if not modes.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in ends.split("-"))
            # What is only reserved cannot be read.
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                yield memory.read(end - start)


def occurrences(pid, *needles):
    """How often some bytes are in a process' memory, together."""
    return sum(part.count(needle.encode()) for part in writable_memory(pid) for needle in needles)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into its memory")


@needs_root
def test_a_key_that_was_replaced_is_gone_from_memory(tmp_path):
    gateway = Gateway(tmp_path, tenants=TENANT, server="watch_interval: none")
    secret_file(gateway.folder, "alpha.secret", "the-first")
    with gateway:
        pid = gateway.child.process.pid
        # What the process was started with stays to its end.
        keys = [secrets.token_hex(20) for _ in range(3)]
        for turn, key in enumerate(keys):
            secret_file(gateway.folder, "alpha.secret", key + "\n")
            gateway.child.process.send_signal(signal.SIGHUP)
            eventually(lambda: gateway.log().count("configuration reloaded") == turn + 1, what="the reload")
            assert occurrences(pid, key) > 0
        eventually(lambda: occurrences(pid, *keys[:-1]) == 0, what="the old keys are gone")


@needs_root
def test_the_text_of_the_private_key_is_not_in_memory(tmp_path, pki):
    lines = [line for line in pathlib.Path(pki.server[1]).read_text().splitlines() if not line.startswith("-----")]
    assert lines
    with Gateway(tmp_path, tenants="only: {database: only, table: metrics, auth: none}", tls=pki.tls) as gateway:
        pid = gateway.child.process.pid
        assert occurrences(pid, *lines) == 0


def test_files_that_others_can_read_are_warned_about(tmp_path, pki):
    key = secret_file(tmp_path, "server.key", pathlib.Path(pki.server[1]).read_text())
    gateway = Gateway(tmp_path, tenants=TENANT, tls=f"certificate: {pki.server[0]}, private_key: {key}")
    secret = secret_file(gateway.folder, "alpha.secret", "secret-of-alpha")
    code, text = check(gateway.config)
    assert code == 0 and "its mode is" not in text
    key.chmod(0o644)
    secret.chmod(0o444)
    code, text = check(gateway.config)
    assert code == 0
    for file, what, mode in ((key, "private key", "0644"), (secret, "secret file", "0444")):
        assert f"the {what} can be read by everybody on this machine: its mode is {mode}\n  fix: chmod 0600 {file}" in text
    with gateway:
        assert gateway.log().count("can be read by everybody") == 2
