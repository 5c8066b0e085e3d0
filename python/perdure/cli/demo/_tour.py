"""The tour itself: start, kill, start again, and count what ran."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._output import Style
from perdure.cli.demo._program import STEP_VARIABLE, WITNESS_VARIABLE
from perdure.client import Client, WorkflowHandle

__all__ = ["Summary", "Tour"]

GUESTS = ["Ada", "Grace", "Barbara", "Edsger", "Katherine"]
WORKFLOW_ID = "party"
_LOOK_SECONDS = 0.02
_SECONDS_MAX = 60.0
_STORE = "demo.db"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the tour has shown."""

    language: str | None
    steps: int
    attempts: int
    ran_again: list[str]
    """Steps of which more than one attempt began."""
    recorded_before_kill: int
    recorded_steps_that_ran_again: int
    """Must be 0: what is recorded never runs again."""
    result: list[str]

    @property
    def nothing_lost(self) -> bool:
        """Whether every step has a result, and none was asked for twice."""
        return len(self.result) == len(GUESTS) and self.recorded_steps_that_ran_again == 0

    def fields(self) -> dict[str, Any]:
        """The summary for programs."""
        return dataclasses.asdict(self) | {"nothing_lost": self.nothing_lost}


class Tour:
    """One tour in one folder."""

    def __init__(
        self, folder: Path, command: list[str], language: str | None, *, step_ms: int, quiet: bool
    ) -> None:
        self._folder = folder.absolute()
        self._command = command
        self._language = language
        self._step_ms = step_ms
        self._out = sys.stderr if quiet else sys.stdout
        self._quiet = quiet
        self._style = Style(self._out)
        self._witness = self._folder / "witness.log"
        self._shown = 0
        self._began: Counter[str] = Counter()

    async def run(self) -> Summary:
        """Runs the tour.

        Raises:
            CommandError: The engine does not come up, or the tour takes too long.
        """
        for path in self._folder.glob(f"{_STORE}*"):
            path.unlink()
        self._witness.write_text("")
        self._introduce()
        client = await Client.connect(f"file:{self._folder / _STORE}")
        engine = await self._start()
        try:
            return await asyncio.wait_for(self._through(client, engine), _SECONDS_MAX)
        except TimeoutError:
            raise CommandError(
                f"the demo did not end within {_SECONDS_MAX:.0f} s: `perdure doctor` may say why",
                ExitCode.FAILURE,
            ) from None

    async def _through(self, client: Client, engine: asyncio.subprocess.Process) -> Summary:
        try:
            name = "welcome" if self._command else "welcome_in_python"
            handle = await client.start_workflow(name, GUESTS, id=WORKFLOW_ID)
            steps = len(GUESTS) * (2 if self._command else 1)
            # An odd one: a step in Python, which the next engine knows to be lost at once.
            await self._until_in_step(steps // 2 // 2 * 2 + 1, engine)
            engine.kill()
            await engine.wait()
            recorded = await _recorded(handle)
            self._show()
            self._say_killed(engine.pid, len(recorded))
            before = self._began.copy()
            engine = await self._start()
            result = await self._watch(handle, engine)
        finally:
            if engine.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    engine.send_signal(signal.SIGTERM)
                await engine.wait()
        again = [step for step, count in self._began.items() if count > 1]
        summary = Summary(
            language=self._language,
            steps=steps,
            attempts=self._began.total(),
            ran_again=again,
            recorded_before_kill=len(recorded),
            recorded_steps_that_ran_again=sum(
                self._began[step] > before[step] for step in recorded
            ),
            result=result,
        )
        self._conclude(summary)
        return summary

    async def _start(self) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            WITNESS_VARIABLE: str(self._witness),
            STEP_VARIABLE: str(self._step_ms),
        }
        store = f"file:{self._folder / _STORE}"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perdure.cli.demo",
            store,
            *self._command,
            env=environment,
            start_new_session=True,
        )

    async def _until_in_step(self, number: int, engine: asyncio.subprocess.Process) -> None:
        """Until that step has begun and is half through."""
        while self._began.total() < number:
            self._check(engine)
            self._show()
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(self._step_ms / 2_000)

    async def _watch(
        self, handle: WorkflowHandle[Any], engine: asyncio.subprocess.Process
    ) -> list[str]:
        waiting = asyncio.ensure_future(handle.result())
        while not waiting.done():
            self._check(engine)
            self._show()
            await asyncio.wait({waiting}, timeout=_LOOK_SECONDS)
        self._show()
        result: list[str] = waiting.result()
        return result

    def _check(self, engine: asyncio.subprocess.Process) -> None:
        if engine.returncode is not None:
            raise CommandError(
                f"the engine ended with code {engine.returncode}: it says why above",
                ExitCode.FAILURE,
            )

    def _introduce(self) -> None:
        other = self._language or "Python alone: none of node, perl and go was found"
        self._print(
            f"""\
{self._style.paint("Perdure: a workflow that survives kill -9", "bold")}

    for name in guests:
        greeting = await greet(name)                # a step in Python
        lines.append(greeting + await badge(name))  # a step in {other}
    await asyncio.sleep(1)                          # a durable timer

It runs in a process of its own, on a store in a file. Each step takes {self._step_ms} ms.
"""
        )

    def _show(self) -> None:
        """Prints what has happened since the last look."""
        lines = self._witness.read_text(encoding="utf-8").splitlines()
        for line in lines[self._shown :]:
            moment, _, step = line.partition(" ")
            activity, _, name = step.partition(" ")
            if moment == "begin":
                self._began[step] += 1
                if self._began[step] > 1:
                    text = f"  … {activity} {name}: runs again, its result was not recorded"
                    self._print(self._style.paint(text, "yellow"))
            else:
                where = "Python" if activity == "greet" else self._language
                mark = self._style.paint("✓", "green")
                self._print(
                    f"  {mark} {activity} {name:<10} {self._style.paint(str(where), 'dim')}"
                )
        self._shown = len(lines)

    def _say_killed(self, pid: int, recorded: int) -> None:
        text = f"kill -9 {pid}: the engine is gone, and the workflow's memory with it"
        self._print(f"\n{self._style.paint(text, 'red')}")
        self._print(f"{recorded} results are recorded in the store. Starting another process …\n")

    def _conclude(self, summary: Summary) -> None:
        self._print("\nThe result:")
        for line in summary.result:
            self._print(f"  {line}")
        again = ", ".join(summary.ran_again) or "nothing"
        self._print(
            f"\n{summary.steps} steps, {summary.attempts} attempts. Ran again: {again}, for it was "
            "cut off by the kill.\nOf the "
            f"{summary.recorded_before_kill} steps with a recorded result "
            f"{summary.recorded_steps_that_ran_again or 'none'} ran again. "
            + ("Nothing was lost." if summary.nothing_lost else "Something was lost!")
        )

    def _print(self, text: str) -> None:
        if not self._quiet:
            print(text, file=self._out, flush=True)


async def _recorded(handle: WorkflowHandle[Any]) -> set[str]:
    """The steps whose result the history holds, as the witness names them."""
    scheduled: dict[int, str] = {}
    done: set[str] = set()
    for line in (await handle.fetch_history()).splitlines():
        record = json.loads(line)
        command, event = record.get("command", {}), record.get("event", {})
        if command.get("kind") == "schedule_activity":
            name = command["arguments"]["value"][0]
            scheduled[record["n"]] = f"{command['name'].rpartition('.')[2]} {name}"
        elif event.get("kind") == "activity_completed":
            done.add(scheduled[event["command_n"]])
    return done
