"""Replay sees what the live run saw: from every prefix, in a fresh process, under any hash seed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perdure import Client, Worker, workflow
from perdure._core import _native
from perdure.errors import NondeterminismError, StoreDamagedError
from perdure.instance._replay import replay
from perdure.workflow._definition import WorkflowDefinition, definition_of
from tests.replay import observed

_COUNT = 6
_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The history of a live run as text, and what the run saw."""
    folder = tmp_path_factory.mktemp("live")

    async def live() -> str:
        client = await Client.connect(f"file:{folder / 'app.db'}")
        async with Worker(client, workflows=[observed.observe], activities=[observed.square]):
            handle = await client.start_workflow(observed.observe, _COUNT)
            assert await handle.result() == _COUNT * _COUNT
            return await handle.fetch_history()

    observed.seen.clear()
    text = asyncio.run(live())
    return text, list(observed.seen)


def test_a_replay_sees_what_the_live_run_saw(exported: tuple[str, list[str]]) -> None:
    text, seen = exported
    assert len(seen) == 4 + 2 * _COUNT
    assert observed.replayed(_native.RecordedHistory.from_json(text)) == seen


def test_every_prefix_sees_a_prefix(exported: tuple[str, list[str]]) -> None:
    text, seen = exported
    history = _native.RecordedHistory.from_json(text)
    lengths: list[int] = []
    for turns in range(1, len(history.batches) + 1):
        so_far = observed.replayed(history.prefix(turns))
        assert so_far == seen[: len(so_far)]
        lengths.append(len(so_far))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1] == len(seen)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_a_fresh_process_with_another_hash_seed_sees_the_same(
    exported: tuple[str, list[str]], tmp_path: Path, hash_seed: str
) -> None:
    text, seen = exported
    file = tmp_path / "history.jsonl"
    file.write_text(text)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.observed", str(file)],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == seen


def _changed(name: str) -> WorkflowDefinition[..., object]:
    async def other_arguments(count: int) -> int:
        return await observed.square(count + 1)

    async def nothing(count: int) -> int:
        return count

    bodies = {"other_arguments": other_arguments, "nothing": nothing}
    return definition_of(workflow.defn(name="observe")(bodies[name]))


@pytest.mark.parametrize("change", ["other_arguments", "nothing"])
def test_changed_code_is_a_mismatch(exported: tuple[str, list[str]], change: str) -> None:
    text, _seen = exported
    history = _native.RecordedHistory.from_json(text)
    with pytest.raises(NondeterminismError):
        replay(history, {"observe": _changed(change)})


def test_a_missing_turn_is_no_history(exported: tuple[str, list[str]]) -> None:
    text, _seen = exported
    history = _native.RecordedHistory.from_json(text)
    batches = history.batches
    with pytest.raises(StoreDamagedError):
        observed.replayed(history.with_batches([batches[0], *batches[2:]]))
