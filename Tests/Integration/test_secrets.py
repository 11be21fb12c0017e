"""What a process that holds secrets leaves behind: no core dump."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

from support.gateway import BINARY, Gateway
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


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="nothing may leave core dumps here")
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
