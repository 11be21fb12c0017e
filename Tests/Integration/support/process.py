"""Child processes of the tests: started, watched, and ended by their own id."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(condition, *, within=20.0, what="condition"):
    """Waits until `condition()` is true; what it returned then."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        time.sleep(0.05)


def http_get(url, *, timeout=5):
    """Status and text of a page; (0, reason) if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Child:
    """A process whose output goes to a file."""

    def __init__(self, command, log, *, cwd=None, env=None):
        self.log_path = pathlib.Path(log)
        self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=self._log, stderr=subprocess.STDOUT, cwd=cwd, env=env
        )

    def log(self):
        return self.log_path.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None

    def stop(self, *, within=20):
        """SIGTERM; the exit code."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._log.close()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(10)
        self._log.close()
