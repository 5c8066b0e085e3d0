"""The load of `test_kill_workers.py`: short runs whose steps are in every language, and their laws.

Each step notes in a file beside the history that it begins, and returns which execution it was.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from perdure import Client, RetryPolicy, activity, workflow
from perdure.client import WorkflowHandle

__all__ = ["PYTHON", "Begun", "Errand", "Load", "check", "read_begun", "service_of", "witness"]

PYTHON = "python"
LINES = 12
"""How many runs go on at a time."""
WORDS = 2
_QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=5), maximum_interval=timedelta(milliseconds=20)
)


def service_of(language: str) -> str:
    """The service that the language's worker hosts here."""
    return f"errand-{language}"


@activity.defn(retry_policy=_QUICK)
async def witness(file: str, number: int, milliseconds: int) -> dict[str, Any]:
    """What the workers of the other languages have under this name."""
    info = activity.info()
    line = f"{info.idempotency_key} {info.attempt} {time.time_ns() // 1_000}\n"
    descriptor = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    await asyncio.sleep(milliseconds / 1000)
    return {"square": number * number, "key": info.idempotency_key, "attempt": info.attempt}


async def _step(
    folder: str, patience_ms: int, language: str, number: int, milliseconds: int
) -> dict[str, Any]:
    arguments = (f"{folder}/{language}", number, milliseconds)
    if language == PYTHON:
        return await witness(*arguments)
    done: dict[str, Any] = await workflow.execute_activity(
        "witness",
        *arguments,
        service=service_of(language),
        start_to_close_timeout=timedelta(milliseconds=patience_ms),
        retry_policy=_QUICK,
    )
    return done


@workflow.defn
class Errand:
    """Stages of steps side by side, a timer after each, and messages from outside."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(
        self, folder: str, patience_ms: int, stages: list[list[tuple[str, int, int]]]
    ) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []
        for stage in stages:
            seen += await asyncio.gather(*(_step(folder, patience_ms, *each) for each in stage))
            await asyncio.sleep(0.002)
        await workflow.wait_condition(lambda: len(self.words) >= WORDS)
        return {"seen": seen, "words": self.words}

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)


@dataclass(frozen=True, slots=True)
class Run:
    """One run that ended, and what it was asked to do."""

    handle: WorkflowHandle[dict[str, Any]]
    stages: list[list[tuple[str, int, int]]]
    words: list[str]
    result: dict[str, Any]


class Load:
    """Starts one run after another, in lines beside one another, until it is ended."""

    def __init__(
        self, client: Client, folder: Path, languages: list[str], *, patience_ms: int, seed: int
    ) -> None:
        self._client = client
        self._patience_ms = patience_ms
        self._folder = folder
        self._languages = [PYTHON, *languages]
        self._ending = False
        self._runs: list[Run] = []
        self._open: set[str] = set()
        self._lines = [
            asyncio.ensure_future(self._line(random.Random(f"{seed} {line}")))
            for line in range(LINES)
        ]

    async def end(self) -> list[Run]:
        """Starts nothing more, and waits for every run."""
        self._ending = True
        await asyncio.gather(*self._lines)
        return self._runs

    def waiting(self) -> list[str]:
        """The runs that have not ended."""
        return sorted(self._open)

    async def _line(self, chance: random.Random) -> None:
        while not self._ending:
            number = chance.randrange(1_000_000)
            stages: list[list[tuple[str, int, int]]] = []
            for _ in range(3):
                stage: list[tuple[str, int, int]] = []
                for _ in range(chance.choice([1, 2, 3])):
                    number += 1
                    stage.append((chance.choice(self._languages), number, chance.randrange(60)))
                stages.append(stage)
            words = [f"{number} {word}" for word in range(WORDS)]
            handle = await self._client.start_workflow(
                Errand.run, str(self._folder), self._patience_ms, stages
            )
            self._open.add(handle.run_id)
            for word in words:
                await handle.signal(Errand.say, word)
            self._runs.append(Run(handle, stages, words, await handle.result()))
            self._open.remove(handle.run_id)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the workers noted: by idempotency key, the attempts that began and when."""

    executions: dict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict[str, list[tuple[int, int]]](list)
    )

    @property
    def again(self) -> int:
        """How many executions were not the first of their step."""
        return sum(len(each) - 1 for each in self.executions.values())

    @property
    def same_attempt_again(self) -> int:
        """How many executions were not the first of their attempt."""
        return sum(
            len(each) - len({attempt for attempt, _ in each}) for each in self.executions.values()
        )


def read_begun(folder: Path, languages: list[str]) -> Begun:
    """Reads what the workers of these languages noted."""
    begun = Begun()
    for language in languages:
        file = folder / language
        for line in file.read_text().splitlines() if file.exists() else ():
            key, attempt, at_us = line.split()
            begun.executions[key].append((int(attempt), int(at_us)))
    return begun


def check(run: Run, history: list[dict[str, Any]], begun: Begun) -> set[str]:
    """Checks one history against what was asked, seen and noted; gives its idempotency keys."""
    records = [record for record in history if "n" in record]
    assert [record["n"] for record in records] == list(range(1, len(records) + 1))
    commands = {each["n"]: each["command"] for each in records if "command" in each}
    end = records[-1]["command"]
    assert (end["kind"], end["result"]["value"]) == ("complete_run", run.result)
    scheduled = {n: each for n, each in commands.items() if each["kind"] == "schedule_activity"}
    completed = _events(records, "activity_completed")
    counted = Counter(each["event"]["command_n"] for each in completed)
    assert counted == Counter(list(scheduled)), "each step has one recorded result"
    recorded: dict[int, dict[str, Any]] = {}
    for each in completed:
        event = each["event"]
        _file, number, _milliseconds = scheduled[event["command_n"]]["arguments"]["value"]
        value = event["result"]["value"]
        assert (value["square"], value["attempt"]) == (number * number, event["attempt"])
        assert value["key"].split(".")[1] == str(event["command_n"]), "a result of another step"
        recorded[number] = value
        executions = begun.executions.get(value["key"], [])
        attempts = {attempt for attempt, _ in executions}
        assert event["attempt"] in attempts, "a result of an attempt that never began"
        assert max(attempts) == event["attempt"], f"{value['key']} was tried after its result"
        last_us = max(at_us for _, at_us in executions)
        assert last_us <= each["at_us"], f"{value['key']} began again after its result"
    asked = [number for stage in run.stages for _, number, _ in stage]
    assert run.result["seen"] == [recorded[number] for number in asked]
    said = [each["event"]["arguments"]["value"][0] for each in _events(records, "signal_received")]
    assert said == run.words == run.result["words"], "a signal was lost, doubled or overtaken"
    timers = Counter(n for n, each in commands.items() if each["kind"] == "start_timer")
    assert Counter(each["event"]["command_n"] for each in _events(records, "timer_fired")) == timers
    return {value["key"] for value in recorded.values()}


def _events(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record.get("event", {}).get("kind") == kind]
