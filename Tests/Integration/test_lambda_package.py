"""The package for AWS Lambda starts where nothing of this machine's system is: no libc, no libraries, no certificates."""

import os
import pathlib
import platform
import shutil
import subprocess
import zipfile

import pytest

from support import lambda_runtime, protocol
from support.gateway import BINARY, ROOT, WRITE_HEADERS
from support.faults import Answer, FaultServer
from test_lambda import CALLER, connector, request, samples


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    target = folder / "function.zip"
    command = [ROOT / "deploy" / "lambda" / "package", "--binary", BINARY, target]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return target


def unpack(package, folder):
    # As Lambda does: modes are kept.
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            path = pathlib.Path(archive.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder


def test_the_package_has_what_lambda_asks_for(package):
    with zipfile.ZipFile(package) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert {"bootstrap", "timestream-gateway", "lib/ld.so", "ca-certificates.crt"} <= set(entries)
        assert any(name.startswith("lib/libc.so") for name in entries)
        assert entries["bootstrap"].external_attr >> 16 & 0o777 == 0o755
        assert archive.read("bootstrap").startswith(b"#!/bin/sh\n")
        # Lambda's bound on a function's code, unpacked.
        assert sum(entry.file_size for entry in entries.values()) < 250_000_000
        assert "tenants.yaml" not in entries


def answered(function):
    body = protocol.encode(protocol.write_request(samples("packed", 1.0)))
    return function.invoke(request("http-api-2.0", "/write", body, WRITE_HEADERS, auth=CALLER))


def mapped_files(pid):
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}


@pytest.mark.skipif(os.geteuid() != 0, reason="of a process that cannot be dumped, root alone may see the maps")
def test_bootstrap_maps_nothing_but_what_was_packed(package, tmp_path):
    root = unpack(package, tmp_path / "task")
    with FaultServer(lambda _: Answer(200, {})) as store:
        with lambda_runtime.Function(root, None, connector(store.url), command=[root / "bootstrap"]) as function:
            kind, answer = answered(function)
            assert (kind, answer["statusCode"]) == ("response", 204), answer
            files = mapped_files(function.child.process.pid)
            assert files and all(name.startswith(f"{root}/") for name in files), files


def can_have_a_root():
    command = ["unshare", "--mount", "mount", "--bind", "/proc", "/proc"]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_have_a_root(), reason="a root of its own needs root, and mounts")
def test_it_starts_in_a_root_with_nothing_else(package, tmp_path):
    root = tmp_path / "root"
    unpack(package, root / "var" / "task")
    (root / "proc").mkdir()
    # Bootstrap's own line, since this root has not even a shell. It has /proc, as Lambda does: libdispatch looks there
    # for its threads when the machine is busy, and ends the process where it finds none. The mount ends with it.
    program = "/var/task/lib/ld.so --library-path /var/task/lib /var/task/timestream-gateway lambda"
    start = f"mount --bind /proc '{root}/proc' && exec chroot '{root}' {program}"
    command = [shutil.which("unshare"), "--mount", "/bin/sh", "-c", start]
    assert sorted(path.name for path in root.iterdir()) == ["proc", "var"]
    with FaultServer(lambda _: Answer(200, {})) as store:
        variables = connector(store.url, LAMBDA_TASK_ROOT="/var/task", SSL_CERT_FILE="/var/task/ca-certificates.crt")
        with lambda_runtime.Function(tmp_path / "function", None, variables, command=command) as function:
            kind, answer = answered(function)
            assert (kind, answer["statusCode"]) == ("response", 204), answer
            assert "Timestream write connection is initialized" in function.child.log()


def test_it_is_for_this_machines_architecture(package):
    with zipfile.ZipFile(package) as archive:
        machine = int.from_bytes(archive.read("timestream-gateway")[18:20], "little")
    assert machine == {"x86_64": 62, "aarch64": 183}[platform.machine()]
