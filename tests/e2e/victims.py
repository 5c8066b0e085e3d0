"""Processes that are killed at random points and are there again at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from perdure.worker import StdioService
from tests.conformance.nats import NatsServer
from tests.conformance.stand import ROOT, languages, worker_program
from tests.e2e.errand import service_of

__all__ = ["Dialling", "Piped", "Server", "Victim", "commands", "strike"]

_START_SECONDS = 30.0
_PROGRESS_SECONDS = 1.0
"""A victim that nobody gives work is killed all the same."""


class Victim(Protocol):
    """What is killed."""

    @property
    def pid(self) -> int:
        """The process that lives now."""
        ...

    def kill(self) -> None:
        """Kills it; it is started again."""
        ...

    def progress(self) -> int:
        """How many steps have begun that it has a part in."""
        ...


def commands(folder: Path) -> dict[str, list[str]]:
    """The conformance worker of each language, built: a new start costs no more than a process."""
    built = {language: [worker_program(language)] for language in languages()}
    program = folder / "go-worker"
    subprocess.run(
        ["go", "build", "-o", program, "./conformance"], cwd=ROOT / "bridges" / "go", check=True
    )
    return {**built, "go": [str(program)]}


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


class Piped:
    """A worker over stdio: the engine's own child, which the engine starts again."""

    def __init__(self, folder: Path, language: str, command: Sequence[str]) -> None:
        self._witness = folder / language
        self._note = folder / f"{language}.pid"
        self._killed = 0
        script = 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"'
        self.service = StdioService(
            service_of(language),
            ["/bin/sh", "-c", script, str(self._note), *command],
            environment={"CONFORMANCE_SERVICE": service_of(language)},
        )

    @property
    def pid(self) -> int:
        """The child that the engine has started since the last kill."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            noted = int(self._note.read_text()) if self._note.exists() else self._killed
            if noted != self._killed:
                return noted
            time.sleep(0.002)
        raise AssertionError(f"{self.service.name} was not started again")

    def kill(self) -> None:
        """Kills the child."""
        process = self.pid
        os.kill(process, signal.SIGKILL)
        self._killed = process

    def progress(self) -> int:
        """How many steps its language has begun."""
        return _lines(self._witness)


class Dialling:
    """A worker over NATS, which is started again here."""

    def __init__(
        self, folder: Path, language: str, command: Sequence[str], server: NatsServer
    ) -> None:
        self._witness = folder / language
        self._command = command
        self._environment = {
            **os.environ,
            "PERDURE_NATS_URL": server.url,
            "PERDURE_NATS_TOKEN": server.token,
            "CONFORMANCE_SERVICE": service_of(language),
        }
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def kill(self) -> None:
        """Kills it and starts it again."""
        self.end()
        self._process = self._start()

    def end(self) -> None:
        """Kills it for good."""
        assert self._process.poll() is None, "the worker ended by itself"
        self._process.kill()
        self._process.wait()

    def progress(self) -> int:
        """How many steps its language has begun."""
        return _lines(self._witness)


class Server:
    """The NATS server, which comes back on the same port."""

    def __init__(self, folder: Path, server: NatsServer) -> None:
        self._witnesses = [folder / language for language in languages()]
        self._server = server

    @property
    def pid(self) -> int:
        """Its process."""
        return self._server.pid

    def kill(self) -> None:
        """Kills it and starts it again."""
        self._server.kill()
        self._server.start()

    def progress(self) -> int:
        """How many steps have begun beyond this process."""
        return sum(map(_lines, self._witnesses))


def strike(victim: Victim, chance: random.Random) -> bool:
    """Waits for a random point in the victim's work and kills it; True when it stood still before.

    It has begun some steps since it was started, unless nobody has given it any for long.
    """
    process = victim.pid
    goal = victim.progress() + chance.choice([1, 1, 2, 3, 5])
    deadline = time.monotonic() + _PROGRESS_SECONDS
    while victim.progress() < goal and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(chance.random() * 0.03)
    freezes = chance.random() < 0.25
    if freezes:
        os.kill(process, signal.SIGSTOP)
        time.sleep(chance.choice([0.002, 0.02, 0.1]))
    victim.kill()
    return freezes
