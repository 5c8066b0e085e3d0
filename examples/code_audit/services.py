"""The processes around the engine: a nats-server, the Go service and the Node service.

Each is a child of its own, so that one can be killed without another noticing.
"""

import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from examples.code_audit.witness import VARIABLE

HERE = Path(__file__).parent
GO_PROGRAM = HERE.parents[1] / "target" / "bin" / "goaudit"
NODE_PROGRAM = HERE / "tsaudit" / "dist" / "src" / "main.js"

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 15.0

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


class ServiceError(Exception):
    """A process that the audit needs cannot be started: the message says what to do."""


@dataclass
class Child:
    """One process: started, killed, started again; its output goes to a log file."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Starts the process, which ends with this one however this one ends."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - nothing else runs threads yet
            )

    def kill(self) -> None:
        """Ends it as a power failure would: SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Asks it to end, and kills it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def exit_code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, by itself or by our hand."""
        return self.exit_code is not None


class Services:
    """A nats-server on a port and with a token of its own, and the two foreign services."""

    def __init__(self, folder: Path, witness: Path) -> None:
        self._folder = folder
        self._children = ExitStack()
        self._all: list[Child] = []
        self._token = secrets.token_urlsafe(24)
        self.environment: dict[str, str] = {VARIABLE: str(witness)}
        self.go = Child("Go service", [str(GO_PROGRAM)], self.environment, folder / "goaudit.log")
        node = [_program("node"), str(NODE_PROGRAM)]
        self.node = Child("Node service", node, self.environment, folder / "tsaudit.log")

    def __enter__(self) -> Self:
        for program in (GO_PROGRAM, NODE_PROGRAM):
            if not program.exists():
                raise ServiceError(f"{program} is not built: run `make setup`")
        self._start_nats()
        for child in (self.go, self.node):
            self._start(child)
        return self

    def __exit__(self, *_: object) -> None:
        self._children.close()

    def _start(self, child: Child) -> None:
        self._children.callback(child.stop)
        child.start()
        self._all.append(child)

    def check(self) -> None:
        """Raises a ServiceError if one of them has ended by itself."""
        for child in self._all:
            if child.has_ended:
                raise ServiceError(f"the {child.name} ended by itself: see {child.log}")

    def _start_nats(self) -> None:
        settings = self._folder / "nats.conf"
        settings.touch(mode=0o600)  # A token on the command line could be read by everyone.
        settings.write_text(
            f"listen: 127.0.0.1:-1\n"
            f'ports_file_dir: "{self._folder}"\n'
            f'authorization {{ token: "{self._token}" }}\n'
        )
        command = [_program("nats-server"), "--config", str(settings)]
        nats = Child("nats-server", command, {}, self._folder / "nats.log")
        self._start(nats)
        self.environment |= {
            "PERDURE_NATS_URL": self._wait_for_address(nats),
            "PERDURE_NATS_TOKEN": self._token,
        }

    def _wait_for_address(self, nats: Child) -> str:
        """The server chooses a free port, and writes it into a file named after its process."""
        assert nats.process is not None
        ports = self._folder / f"nats-server_{nats.process.pid}.ports"
        gives_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < gives_up_at and not nats.has_ended:
            try:
                return str(json.loads(ports.read_text())["nats"][0])
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.01)
        raise ServiceError(f"nats-server does not start: see {nats.log}")


def _program(name: str) -> str:
    """A program beside this Python, where its package puts it, or else in the PATH."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=beside) or shutil.which(name)
    if found is None:
        raise ServiceError(f"{name} is not installed: run `make setup`")
    return found


def _end_with_parent() -> None:
    """Runs in the child: a driver that is killed leaves no orphan behind."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
