"""Random asyncio programs see the same on the native loop and on its Python twin (E26).

Whole microseconds and shared deadlines on purpose: timers due at one instant fire one at a time,
by creation, on both.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.instance.loops import Log, on_twin, on_workflow_loop

DELAYS = st.sampled_from([0.0, 0.0, 0.001, 0.002, 0.003, 0.005, 0.008])


@dataclass(frozen=True)
class Sleep:
    delay: float


@dataclass(frozen=True)
class Fail:
    delay: float


@dataclass(frozen=True)
class Sequence:
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Together:
    """Several at once: `gather`, `TaskGroup`, `wait` in rounds, or `as_completed`."""

    how: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Within:
    """A time limit: `timeout` or `wait_for`; with `shield`, the inside lives on."""

    how: str
    limit: float
    part: Any


@dataclass(frozen=True)
class Cancelled:
    """Begun as a task and cancelled after a while."""

    after: float
    part: Any


@dataclass(frozen=True)
class Shared:
    """Inside the lock, the semaphore, or through the queue or the event of the program."""

    what: str
    part: Any


def _nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(children, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Sequence, several),
        st.builds(
            Together,
            st.sampled_from(["gather", "gather_all", "group", "wait", "as_completed"]),
            several,
        ),
        st.builds(Within, st.sampled_from(["timeout", "wait_for", "shield"]), DELAYS, children),
        st.builds(Cancelled, DELAYS, children),
        st.builds(Shared, st.sampled_from(["lock", "semaphore", "queue", "event"]), children),
    )


PROGRAMS = st.recursive(
    st.one_of(st.builds(Sleep, DELAYS), st.builds(Sleep, DELAYS), st.builds(Fail, DELAYS)),
    _nodes,
    max_leaves=14,
)


class Interpreter:
    """Runs one program; every node logs when it begins and how it ends."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)
        self.queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        self.event = asyncio.Event()
        self.nodes = 0
        self.started: list[asyncio.Task[Any]] = []

    async def run(self, node: Any) -> Any:
        self.nodes += 1
        number = self.nodes
        name = type(node).__name__
        self.log("begin", number, name)
        try:
            result = await self.visit(node, number)
        except BaseException as error:
            self.log("raise", number, type(error).__name__)
            raise
        self.log("end", number, result)
        return number

    async def visit(self, node: Any, number: int) -> Any:
        match node:
            case Sleep(delay):
                await asyncio.sleep(delay)
                return delay
            case Fail(delay):
                await asyncio.sleep(delay)
                raise ValueError(number)
            case Sequence(parts):
                return [await self.run(part) for part in parts]
            case Together(how, parts):
                return await self.together(how, parts)
            case Within(how, limit, part):
                return await self.within(how, limit, part)
            case Cancelled(after, part):
                task = self.task(part)
                await asyncio.sleep(after)
                self.log("cancel", task.cancel("by program"))
                await asyncio.wait([task])
                return task.cancelled()
            case Shared(what, part):
                return await self.shared(what, part)
            case _:
                raise AssertionError(node)

    def task(self, part: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(self.run(part))
        self.started.append(task)
        return task

    async def together(self, how: str, parts: tuple[Any, ...]) -> Any:
        if how == "gather":
            return await asyncio.gather(*map(self.task, parts))
        if how == "gather_all":
            found = await asyncio.gather(*map(self.task, parts), return_exceptions=True)
            return [repr(each) for each in found]
        if how == "group":
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self.run(part)) for part in parts]
            except ExceptionGroup as errors:
                return [repr(error) for error in errors.exceptions]
            return [task.result() for task in tasks]
        tasks = [self.task(part) for part in parts]
        if how == "as_completed":
            seen: list[Any] = []
            for each in asyncio.as_completed(tasks):
                try:
                    seen.append(await each)
                except (ValueError, ExceptionGroup, TimeoutError) as error:
                    seen.append(repr(error))
            return seen
        pending: Any = tasks
        rounds: list[list[Any]] = []
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            rounds.append([tasks.index(task) for task in done])
        return rounds

    async def within(self, how: str, limit: float, part: Any) -> Any:
        try:
            if how == "timeout":
                async with asyncio.timeout(limit):
                    return await self.run(part)
            if how == "wait_for":
                return await asyncio.wait_for(self.run(part), limit)
            return await asyncio.wait_for(asyncio.shield(self.task(part)), limit)
        except TimeoutError:
            return "timeout"

    async def shared(self, what: str, part: Any) -> Any:
        if what == "lock":
            async with self.lock:
                return await self.run(part)
        if what == "semaphore":
            async with self.semaphore:
                return await self.run(part)
        if what == "queue":
            self.queue.put_nowait(1) if not self.queue.full() else await self.queue.get()
            return await self.run(part)
        result = await self.run(part)
        self.event.set()
        return result


def as_program(node: Any) -> Any:
    async def program(log: Log) -> Any:
        interpreter = Interpreter(log)
        try:
            async with asyncio.timeout(1):
                return await interpreter.run(node)
        finally:
            # Nothing is left behind: an unretrieved error would be logged at its own time.
            while left := [task for task in interpreter.started if not task.done()]:
                for task in left:
                    task.cancel()
                await asyncio.wait(left)
            await asyncio.gather(*interpreter.started, return_exceptions=True)

    return program


@settings(max_examples=400, deadline=None, print_blob=True)
@given(PROGRAMS)
def test_random_program_sees_the_same_as_on_the_twin(node: Any) -> None:
    program = as_program(node)
    native = on_workflow_loop(program)
    assert native.result != "pending"
    assert native == on_twin(program)


@settings(max_examples=100, deadline=None, print_blob=True)
@given(PROGRAMS)
def test_random_program_issues_the_same_commands_again(node: Any) -> None:
    program = as_program(node)
    first = on_workflow_loop(program)
    again = on_workflow_loop(program, budget_us=0)
    assert again == first
    assert again.commands == first.commands
