"""Group I: patches, asked live, with nothing cached, and replayed elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, activity, workflow
from perdure.errors import WorkflowParkedError, WorkflowQueryFailedError
from perdure.testing import Replayer, ReplayVerdict, WorkflowHistory
from tests.semantics.ways import three_ways

THIS = __name__


@activity.defn
async def step(name: str) -> str:
    return name


class _Arrival:
    """Tells a test that its run has come to where it waits."""

    event = asyncio.Event()


@activity.defn
async def arrive() -> None:
    _Arrival.event.set()


@workflow.defn
class EveryPlace:
    """Asks in `run`, under `gather`, in a predicate and in handlers."""

    def __init__(self) -> None:
        self.seen: list[Any] = [workflow.patched("init")]
        self.done = False

    @workflow.run
    async def run(self) -> list[Any]:
        self.seen.append(workflow.patched("run"))
        self.seen += await asyncio.gather(*(self.branch(n) for n in range(3)))
        await workflow.wait_condition(lambda: self.done and workflow.patched("predicate"))
        workflow.deprecate_patch("over")
        self.seen.append([workflow.patched("run"), workflow.patched("over")])
        return self.seen

    async def branch(self, number: int) -> str:
        new = workflow.patched(f"branch-{number % 2}")
        return await step(f"{'new' if new else 'old'} {number}")

    @workflow.signal
    async def finish(self) -> None:
        if workflow.patched("handler"):
            self.seen.append(await step("handled"))
        self.done = True

    @workflow.query
    def known(self) -> bool:
        return workflow.patched("run")

    @workflow.query
    def unknown(self) -> bool:
        return workflow.patched("nobody asked")


def test_i2_a_run_begun_after_a_patch_takes_the_new_branch_everywhere() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(EveryPlace.run)
        assert await handle.query(EveryPlace.known)
        with pytest.raises(WorkflowQueryFailedError, match="only reads"):
            await handle.query(EveryPlace.unknown)
        await handle.signal(EveryPlace.finish)
        return await handle.result()

    seen = three_ways(scenario, THIS, activities=[step])
    assert sorted(seen, key=str) == sorted(
        [True, True, "new 0", "new 1", "new 2", "handled", [True, True]], key=str
    )


def test_a_patch_needs_a_name_and_a_workflow() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        workflow.patched("")
    with pytest.raises(RuntimeError, match="inside a workflow"):
        workflow.patched("outside")


class Releases:
    """Releases of one workflow that waits for two signals."""

    @staticmethod
    def of(before: str, after: str = "") -> Any:
        """What it asks for before, between and after them; the letters are those of `_ask`."""

        @workflow.defn(name="order")
        class Order:
            def __init__(self) -> None:
                self.signals = 0

            @workflow.run
            async def run(self) -> list[str]:
                seen = [await _ask(each) for each in before]
                await arrive()
                await workflow.wait_condition(lambda: self.signals >= 1)
                seen += [await _ask(each) for each in after]
                await arrive()
                await workflow.wait_condition(lambda: self.signals > 1)
                seen += [await _ask(each) for each in before]
                return [each for each in seen if each]

            @workflow.signal
            def go(self) -> None:
                self.signals += 1

        return Order


async def _ask(letter: str) -> str:
    """o: the old step; n: the new; p: either, by the patch; d: the new, deprecated."""
    if letter == "d":
        workflow.deprecate_patch("change")
    new = letter in ("n", "d") or (letter == "p" and workflow.patched("change"))
    return await step("new" if new else "old")


async def _under(path: Path, release: Any, signals: int, *, start: bool = False) -> str:
    """Serves the run with this release until it waits again after so many signals."""
    async with (
        await Client.connect(f"file:{path}") as client,
        Worker(client, workflows=[release], activities=[step, arrive]),
    ):
        _Arrival.event = asyncio.Event()
        if start:
            await client.start_workflow("order", id="order")
        handle = await client.get_workflow_handle("order")
        for _ in range(signals):
            await handle.signal("go")
        ended = asyncio.create_task(handle.result())
        arrived = asyncio.create_task(_Arrival.event.wait())
        await asyncio.wait([ended, arrived], return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ended, arrived):
            waiting.cancel()
        await asyncio.wait([ended, arrived])
        return await handle.fetch_history()


async def _through(path: Path, *releases: tuple[Any, int]) -> list[str]:
    """What the run returned after these releases, each with the signals that it handles."""
    for number, (release, signals) in enumerate(releases):
        await _under(path, release, signals, start=number == 0)
    async with (
        await Client.connect(f"file:{path}") as client,
        Worker(client, workflows=[releases[-1][0]], activities=[step, arrive]),
    ):
        return list(await (await client.get_workflow_handle("order")).result())


OLD, PATCHED, DEPRECATED, NEW = (Releases.of(letter, letter) for letter in "opdn")


def _run(path: Path, *releases: tuple[Any, int]) -> list[str]:
    return asyncio.run(asyncio.wait_for(_through(path / "app.db", *releases), 30))


def test_i1_a_run_begun_before_a_patch_keeps_the_old_branch_over_restarts(tmp_path: Path) -> None:
    # Its second and third step come after the deploy: they follow the answer of the first.
    steps = _run(tmp_path, (OLD, 0), (PATCHED, 1), (PATCHED, 1))
    assert steps == ["old", "old", "old"]


def test_i3_deprecated_then_removed(tmp_path: Path) -> None:
    steps = _run(tmp_path, (DEPRECATED, 0), (NEW, 1), (PATCHED, 1))
    assert steps == ["new", "new", "new"]


def test_i3_a_deprecated_call_takes_the_marker_that_patched_left(tmp_path: Path) -> None:
    assert _run(tmp_path, (PATCHED, 0), (DEPRECATED, 1), (PATCHED, 1)) == ["new", "new", "new"]


def test_i3_removed_too_early_is_a_mismatch_that_names_the_patch(tmp_path: Path) -> None:
    with pytest.raises(WorkflowParkedError, match=r'history has record_patch of "change"'):
        _run(tmp_path, (PATCHED, 0), (NEW, 1))


def test_i4_a_patch_first_reached_after_the_deploy_takes_the_new_branch(tmp_path: Path) -> None:
    before, after = Releases.of("o", "o"), Releases.of("o", "p")
    assert _run(tmp_path, (before, 0), (after, 1), (after, 1)) == ["old", "new", "old"]


def test_i5_a_step_more_or_less_at_the_end_is_noticed(tmp_path: Path) -> None:
    text = asyncio.run(_under(tmp_path / "app.db", Releases.of("o"), 0, start=True))
    history = WorkflowHistory.from_json(text)
    for changed in ("oo", ""):
        replayer = Replayer(workflows=[Releases.of(changed)])
        result = asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False))
        assert result.verdict is ReplayVerdict.MISMATCH, changed
