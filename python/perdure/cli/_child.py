"""A process that is started again when it ends, and whose lines are shown under its name."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perdure.cli._output import Style

__all__ = ["Child", "Log"]

BACKOFF_SECONDS = (0.2, 5.0)
SETTLED_SECONDS = 10.0
"""A process that has run this long is restarted at once when it ends."""
STOP_SECONDS = 15.0
"""How long a process may take to stop; the worker's own limit is 10 s and some."""
_LINE_BYTES_MAX = 1 << 20
_COLORS = ("cyan", "green", "yellow", "blue", "red")
_PARENT_DEATH_SIGNAL = 1


class Log:
    """Lines of many processes, each behind its name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._style = Style(sys.stdout)
        self._width = max(map(len, names), default=0)
        self._colors = {name: _COLORS[at % len(_COLORS)] for at, name in enumerate(names)}

    def line(self, name: str, text: str) -> None:
        """Shows one line of a process."""
        head = self._style.paint(f"{name:<{self._width}} |", self._colors.get(name, "dim"))
        print(f"{head} {text}", flush=True)


@dataclass(slots=True)
class Child:
    """What to run; `run` keeps it running until it is cancelled."""

    name: str
    command: Sequence[str]
    directory: Path
    log: Log
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    async def run(self) -> None:
        """Runs the process for ever; a cancel stops it gracefully."""
        wait_seconds = BACKOFF_SECONDS[0]
        while True:
            started = time.monotonic()
            try:
                code = await self._run_once()
            except OSError as error:
                self.log.line(self.name, f"cannot be started: {error}")
            else:
                self.log.line(self.name, f"ended with {_ending(code)}: it is started again")
            if time.monotonic() - started > SETTLED_SECONDS:
                wait_seconds = BACKOFF_SECONDS[0]
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, BACKOFF_SECONDS[1])

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            cwd=self.directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES_MAX,
            # An interrupt at the terminal goes to this process alone, which stops the others.
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self.log.line(self.name, f"started, process {process.pid}")
        reading = asyncio.create_task(self._show_lines(process))
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        finally:
            # A grandchild may keep the pipe open.
            await asyncio.wait({reading}, timeout=1.0)
            reading.cancel()

    async def _show_lines(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                self.log.line(self.name, f"(a line of more than {_LINE_BYTES_MAX} bytes)")
                continue
            if not line:
                return
            self.log.line(self.name, line.decode(errors="replace").rstrip("\n"))


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"code {code}"


def _die_with_parent() -> None:
    """Asks Linux to end this process when its parent is killed; elsewhere it stays behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
