"""The edit that a mismatch proposes, as text, and its fields."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker
from perdure._core import RecordedHistory
from perdure.errors import MismatchSide, NondeterminismError
from perdure.instance._replay import replay
from perdure.testing import Replayer, WorkflowHistory
from tests.replay import later_shop

THIS = later_shop.__file__


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of the first release, exported."""

    async def record() -> str:
        async with (
            await Client.connect(f"file:{tmp_path_factory.mktemp('store') / 'app.db'}") as client,
            Worker(
                client,
                workflows=[later_shop.recorded],
                activities=[later_shop.weigh, later_shop.send],
            ),
        ):
            handle = await client.start_workflow(later_shop.recorded, "box", id="p-1")
            await handle.result()
            return await handle.fetch_history()

    return asyncio.run(record())


def edit_for(target: Any, text: str) -> str:
    """The changed lines of the edit, and those around it."""
    replayer = Replayer(workflows=[target])
    history = WorkflowHistory.from_json(text)
    result = asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False))
    assert result.mismatch is not None
    head, *lines = result.mismatch.patch_edit.splitlines()
    assert head == f"--- {THIS}"
    return "\n".join(line for line in lines if not line.startswith(("+++", "@@")))


def test_a_step_that_came_in_is_for_new_runs_alone(text: str) -> None:
    assert (
        edit_for(later_shop.insured, text)
        == """\
     await workflow.sleep(0.25)
-    await insure(parcel)
+    if workflow.patched("insured-insure"):
+        await insure(parcel)
     return await send(parcel, weight)"""
    )
    assert (
        edit_for(later_shop.insured_by_name, text)
        == """\
     await workflow.sleep(0.25)
-    parcel = await insure(parcel)
+    if workflow.patched("insured-by-name-insure"):
+        parcel = await insure(parcel)
+    else:
+        parcel = ...  # as before, without insure
     return await send(parcel, weight)"""
    )


def test_a_step_that_went_is_for_old_runs_alone(text: str) -> None:
    assert (
        edit_for(later_shop.at_once, text)
        == """\
     weight = await weigh(parcel)
+    if not workflow.patched("at-once-without-start-timer"):
+        await workflow.sleep(0.25)  # as recorded
     return await send(parcel, weight)"""
    )


def test_a_step_in_the_place_of_another_has_both(text: str) -> None:
    assert (
        edit_for(later_shop.only_insured, text)
        == """\
     await workflow.sleep(0.25)
-    return await insure(parcel)
+    if workflow.patched("only-insured-insure"):
+        return await insure(parcel)
+    else:
+        return await send('box', 3)  # as recorded
 """
    )


def test_a_patch_that_was_removed_too_early_is_deprecated_first(text: str) -> None:
    assert (
        edit_for(later_shop.without_patch, text)
        == """\
 async def without_patch(parcel: str) -> str:
+    workflow.deprecate_patch("scales")
     weight = await weigh(parcel)"""
    )


def test_the_error_itself_has_the_fields(text: str) -> None:
    with pytest.raises(NondeterminismError) as raised:
        replay(RecordedHistory.from_json(text), {later_shop.NAME: later_shop.only_insured})
    found = raised.value.mismatch
    assert found is not None
    assert found.event_n == 7
    line = Path(THIS).read_text().splitlines().index("    return await insure(parcel)") + 1
    assert found.asked == MismatchSide("schedule_activity", "insure", THIS, line, "only_insured")
    assert found.recorded is not None
    assert (found.recorded.name, found.recorded.function) == ("send", "recorded")
    assert [each[0] for each in found.differing_fields] == ["name", "arguments"]
    assert (raised.value.file, raised.value.line) == (THIS, line)


def test_a_guard_has_no_mismatch() -> None:
    assert NondeterminismError("refused").mismatch is None
