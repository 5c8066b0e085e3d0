"""Random workflow programs: data that one workflow interprets, and what is done to their runs."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from perdure import RetryPolicy, activity, workflow
from perdure.errors import ActivityError, ApplicationError, FailureError

__all__ = ["CHANCE", "Interpreter", "RandomProgram", "Script", "random_script", "work"]

Node: TypeAlias = list[Any]
"""A kind and what it needs; lists, numbers and texts alone, so that it travels."""

CHANCE = "by chance"
"""Begins what is another in each run, but must be the same in each of its replays."""
_SIGNALS = ("a", "b")
_LEAVES = 30
_OUTER_LIMIT_S = 60
_NO_JITTER = RetryPolicy(initial_interval=timedelta(seconds=2), jitter=0.0, maximum_attempts=3)


@dataclass(frozen=True)
class Script:
    """One program, and what a client does to its run: second, verb and what."""

    number: int
    program: Node
    deeds: list[tuple[float, str, str]]
    keeps_tasks: bool
    """Whether tasks that are still pending at the end are left to the engine."""


@activity.defn(start_to_close_timeout=timedelta(seconds=6), retry_policy=_NO_JITTER)
async def work(kind: str, label: int, seconds: float) -> int:
    """What it does is decided by its arguments and the attempt; each takes some of the test's time,
    so that no two are over at one instant: only then their order is nobody's whim."""
    raise NotImplementedError(f"the test has one that knows its time: {kind} {label} {seconds}")


@workflow.defn
class RandomProgram:
    def __init__(self) -> None:
        self.signals: Counter[str] = Counter()
        self.log: list[Any] = []
        self.moments = 0
        self.began = workflow.time()
        # asyncio itself holds tasks weakly: one that nobody holds ends whenever the collector runs.
        self.tasks: list[asyncio.Task[Any]] = []

    @workflow.run
    async def run(self, program: Node, keeps_tasks: bool) -> list[Any]:
        interpreter = Interpreter(self)
        try:
            async with asyncio.timeout(_OUTER_LIMIT_S):
                await interpreter.run(program)
        except TimeoutError:
            self.log.append(["the outer limit"])
        finally:
            if not keeps_tasks:
                await interpreter.end()
        return self.log

    @workflow.signal
    def a(self) -> None:
        self._note("a")

    @workflow.signal
    async def b(self) -> None:
        # An async handler, with work of its own.
        self._note("b", await work("answers", -1, self.moment()))

    def moment(self) -> float:
        """How long an activity takes that the program has no number for."""
        self.moments += 1
        return 0.3 + self.moments * 1.3e-5

    def _note(self, name: str, *details: Any) -> None:
        self.signals[name] += 1
        self.log.append(["signal", name, *details, round(workflow.time() - self.began, 6)])


class Interpreter:
    """Runs one program; every node logs when it begins and how it ends."""

    def __init__(self, instance: RandomProgram) -> None:
        self.instance = instance
        self.nodes = 0
        self.lock = asyncio.Lock()
        self.consumed: Counter[str] = Counter()

    def note(self, *what: Any) -> None:
        self.instance.log.append([*what, round(workflow.time() - self.instance.began, 6)])

    async def run(self, node: Node) -> Any:
        self.nodes += 1
        number = self.nodes
        kind, *needs = node
        self.note("begin", number, kind)
        try:
            result = await getattr(self, f"_{kind}")(*needs)
        except BaseException as error:
            self.note("raise", number, type(error).__name__, _cause(error))
            raise
        self.note("end", number, result)
        return number

    async def end(self) -> None:
        """Nothing is left behind."""
        started = self.instance.tasks
        while left := [task for task in started if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        await asyncio.gather(*started, return_exceptions=True)

    def task(self, part: Node) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(self.run(part))
        self.instance.tasks.append(task)
        return task

    async def _activity(self, kind: str, label: int, seconds: float) -> Any:
        return await work(kind, label, seconds)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _chance(self) -> Any:
        return [CHANCE, random.randrange(1_000), str(uuid.uuid4()), workflow.random("own").random()]

    async def _fail(self, label: int) -> None:
        raise ApplicationError(f"program says {label}", type="Program")

    async def _signal(self, name: str) -> int:
        self.consumed[name] += 1
        wanted = self.consumed[name]
        await workflow.wait_condition(lambda: self.instance.signals[name] >= wanted)
        return self.instance.signals[name]

    async def _sequence(self, parts: list[Node]) -> list[Any]:
        return [await self.run(part) for part in parts]

    async def _gather(self, parts: list[Node], return_exceptions: bool) -> list[Any]:
        found = await asyncio.gather(*map(self.task, parts), return_exceptions=return_exceptions)
        return [_plain(each) for each in found]

    async def _group(self, parts: list[Node]) -> list[Any]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.run(part)) for part in parts]
                self.instance.tasks.extend(tasks)
        except BaseExceptionGroup as errors:
            return [_plain(error) for error in errors.exceptions]
        return [task.result() for task in tasks]

    async def _wait(self, parts: list[Node], return_when: str) -> list[Any]:
        tasks = [self.task(part) for part in parts]
        pending: Any = tasks
        rounds: list[list[int]] = []
        while pending:
            done, pending = await asyncio.wait(pending, return_when=return_when)
            rounds.append([tasks.index(task) for task in done])
        return rounds

    async def _as_completed(self, parts: list[Node]) -> list[Any]:
        return [await self._caught(each) for each in asyncio.as_completed(map(self.task, parts))]

    async def _timeout(self, how: str, limit: float, part: Node) -> Any:
        try:
            if how == "timeout":
                async with asyncio.timeout(limit):
                    return await self.run(part)
            if how == "wait_for":
                return await asyncio.wait_for(self.run(part), limit)
            return await asyncio.wait_for(asyncio.shield(self.task(part)), limit)
        except TimeoutError:
            return "timeout"

    async def _cancel(self, after: float, part: Node) -> Any:
        task = self.task(part)
        await asyncio.sleep(after)
        said = task.cancel("by program")
        await asyncio.wait([task])
        return [said, task.cancelled()]

    async def _locked(self, part: Node) -> Any:
        async with self.lock:
            return await self.run(part)

    async def _catch(self, part: Node) -> Any:
        return await self._caught(self.run(part))

    async def _resists(self, part: Node) -> Any:
        """Cleans up when it is cancelled, and then is."""
        try:
            return await self.run(part)
        except asyncio.CancelledError:
            self.note("cleaned up", await work("answers", -2, self.instance.moment()))
            raise

    async def _caught(self, awaited: Awaitable[Any]) -> Any:
        try:
            return await awaited
        except (FailureError, TimeoutError) as error:
            return _plain(error)


def _plain(value: Any) -> Any:
    return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else value


def _cause(error: BaseException) -> str:
    return type(error.cause).__name__ if isinstance(error, ActivityError) else ""


def random_script(seed: int, number: int) -> Script:
    """The program of that number; the same for the same seed, on every machine."""
    chance = random.Random(f"{seed}.{number}")
    maker = _Maker(chance)
    program = maker.root()
    deeds: list[tuple[float, str, str]] = []
    for _ in range(chance.randrange(5)):
        deeds.append((chance.randrange(20) + _moment(chance), "signal", chance.choice(_SIGNALS)))
    if chance.random() < 0.15:
        deeds.append((chance.randrange(15) + _moment(chance), "cancel", "by client"))
    return Script(number, program, sorted(deeds), chance.random() < 0.2)


def _moment(chance: random.Random) -> float:
    """A part of a second that nothing else shares: what comes from outside at one instant comes in
    an order that no law fixes."""
    return chance.randrange(1, 999_999) / 1e6


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.left = chance.randrange(4, _LEAVES)
        self.labels = 0

    def root(self) -> Node:
        """Several parts, mostly such that one that fails does not end the others."""
        chance = self.chance
        parts: list[Node] = []
        while self.left > 0 and len(parts) < 6:
            part = self.branch(1)
            parts.append(["catch", part] if chance.random() < 0.8 else part)
        return ["sequence", parts] if chance.random() < 0.5 else ["gather", parts, True]

    def node(self, depth: int) -> Node:
        chance = self.chance
        if depth < 5 and self.left > 0 and chance.random() < 0.55:
            return self.branch(depth)
        self.left -= 1
        self.labels += 1
        kinds = ("quick", "quick", "slow", "slow", "sleep", "sleep", "signal", "chance", "fail")
        match chance.choice(kinds):
            case "quick":
                kind = chance.choice(("answers", "fails", "fails_once"))
                return ["activity", kind, self.labels, _moment(chance) / 100]
            case "slow":
                seconds = chance.choice((1, 2, 3, 7)) + _moment(chance)
                return ["activity", "answers", self.labels, seconds]
            case "sleep":
                return ["sleep", float(chance.choice((0, 0, 1, 1, 2, 3, 5, 8)))]
            case "signal":
                return ["signal", chance.choice(_SIGNALS)]
            case "chance":
                return ["chance"]
            case _:
                return ["fail", self.labels]

    def branch(self, depth: int) -> Node:
        chance = self.chance
        kinds = "sequence gather group wait as_completed timeout cancel locked catch resists"
        kind = chance.choice((*kinds.split(), "sequence", "gather", "timeout"))
        match kind:
            case "sequence" | "group" | "as_completed":
                return [kind, self.several(depth)]
            case "gather":
                return [kind, self.several(depth), chance.random() < 0.5]
            case "wait":
                when = (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED)
                return [kind, self.several(depth), chance.choice(when)]
            case "timeout":
                how = chance.choice(("timeout", "wait_for", "shield"))
                return [kind, how, float(chance.choice((0, 1, 2, 3, 6))), self.node(depth + 1)]
            case "cancel":
                return [kind, float(chance.choice((0, 1, 2, 4))), self.node(depth + 1)]
            case _:
                return [kind, self.node(depth + 1)]

    def several(self, depth: int) -> list[Node]:
        return [self.node(depth + 1) for _ in range(self.chance.randrange(1, 5))]
