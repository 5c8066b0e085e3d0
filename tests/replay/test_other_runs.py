"""Mismatches at calls of other runs: both sites, the fields that differ, and the edit."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker
from perdure.testing import Mismatch, Replayer, ReplayVerdict, WorkflowHistory
from tests.replay import later_orders

THIS = later_orders.__file__


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of the first release, exported."""

    async def record() -> str:
        workflows: list[Any] = [later_orders.recorded, later_orders.pack, later_orders.Stock]
        store = f"file:{tmp_path_factory.mktemp('store') / 'app.db'}"
        async with await Client.connect(store) as client, Worker(client, workflows=workflows):
            await client.start_workflow(later_orders.Stock.run, id="stock")
            handle = await client.start_workflow(later_orders.recorded, "o-1", id="o-1")
            await handle.result()
            return await handle.fetch_history()

    return asyncio.run(record())


def mismatch_of(target: Any, text: str) -> Mismatch:
    replayer = Replayer(workflows=[target])
    history = WorkflowHistory.from_json(text)
    result = asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False))
    assert result.verdict is ReplayVerdict.MISMATCH
    assert result.mismatch is not None
    return result.mismatch


DIFFERENCES: list[tuple[Any, str, list[str], str, str]] = [
    (
        later_orders.other_child,
        "history has start_child of 'pack', the code asks for start_child of 'Stock'",
        [
            "workflow_type: recorded 'pack', now 'Stock'",
            "arguments[0]: recorded 'o-1', now nothing",
            "arguments[1]: recorded 2, now nothing",
        ],
        "packed = await workflow.execute_child_workflow(pack, order, 2)",
        "await workflow.execute_child_workflow(Stock.run)",
    ),
    (
        later_orders.other_arguments,
        "history has start_child of 'pack', the code asks for another one",
        ["arguments[1]: recorded 2, now 3", "workflow_id: recorded 'RUN.2', now 'packing'"],
        "packed = await workflow.execute_child_workflow(pack, order, 2)",
        'return await workflow.execute_child_workflow(pack, order, 3, id="packing")',
    ),
    (
        later_orders.other_signal,
        "history has signal_external of 'take', the code asks for signal_external of 'give'",
        ["name: recorded 'take', now 'give'"],
        "await stock.signal(Stock.take, 2)",
        "await stock.signal(Stock.give, 2)",
    ),
    (
        later_orders.other_count,
        "history has signal_external of 'take', the code asks for another one",
        ["arguments[0]: recorded 2, now 3"],
        "await stock.signal(Stock.take, 2)",
        "await stock.signal(Stock.take, 3)",
    ),
    (
        later_orders.other_target,
        "history has cancel_external of 'stock', the code asks for cancel_external of 'store'",
        ["target['workflow_id']: recorded 'stock', now 'store'"],
        "await stock.cancel()",
        'await workflow.get_external_workflow_handle("store").cancel()',
    ),
]


@pytest.mark.parametrize(
    ("target", "title", "fields", "line_before", "line_now"),
    DIFFERENCES,
    ids=[each[0].fn.__name__ for each in DIFFERENCES],
)
def test_both_sites_and_the_differing_fields_are_named(
    target: Any, title: str, fields: list[str], line_before: str, line_now: str, text: str
) -> None:
    mismatch = mismatch_of(target, text)
    assert mismatch.title == title
    shown = [
        f"{each.field}: recorded {each.recorded}, now {each.asked}" for each in mismatch.differences
    ]
    assert [re.sub("[0-9a-f]{32}", "RUN", each) for each in shown] == fields
    assert mismatch.recorded is not None
    assert mismatch.asked is not None
    before, now = mismatch.recorded.site, mismatch.asked.site
    assert before is not None
    assert now is not None
    assert (before.file, before.function, before.source) == (THIS, "recorded", line_before)
    assert (now.file, now.function, now.source) == (THIS, target.fn.__name__, line_now)


EDITS: list[tuple[Any, str]] = [
    (
        later_orders.other_signal,
        """\
-    await stock.signal(Stock.give, 2)
+    if workflow.patched("other-signal-give"):
+        await stock.signal(Stock.give, 2)
+    else:
+        await workflow.get_external_workflow_handle('stock').signal('take', 2)  # as recorded""",
    ),
    (
        later_orders.other_target,
        """\
-    await workflow.get_external_workflow_handle("store").cancel()
+    if workflow.patched("other-target-cancel-external"):
+        await workflow.get_external_workflow_handle("store").cancel()
+    else:
+        await workflow.get_external_workflow_handle('stock').cancel()  # as recorded""",
    ),
    (
        later_orders.without_signal,
        """\
+    if not workflow.patched("without-signal-without-take"):
+        await workflow.get_external_workflow_handle('stock').signal('take', 2)  # as recorded""",
    ),
    (
        later_orders.signals_first,
        """\
-    await stock.signal(Stock.give, 2)
+    if workflow.patched("signals-first-give"):
+        await stock.signal(Stock.give, 2)""",
    ),
    (
        later_orders.other_arguments,
        """\
-    return await workflow.execute_child_workflow(pack, order, 3, id="packing")
+    if workflow.patched("other-arguments-pack"):
+        return await workflow.execute_child_workflow(pack, order, 3, id="packing")
+    else:
+        return await workflow.execute_child_workflow('pack', 'o-1', 2)  # as recorded""",
    ),
]


@pytest.mark.parametrize(("target", "edit"), EDITS, ids=[each[0].fn.__name__ for each in EDITS])
def test_the_edit_has_both_branches(target: Any, edit: str, text: str) -> None:
    lines = mismatch_of(target, text).patch_edit.splitlines()[2:]
    assert "\n".join(line for line in lines if line.startswith(("+", "-"))) == edit


def test_code_that_is_edited_so_fits_the_history(text: str) -> None:
    _, _, hunk, *lines = mismatch_of(later_orders.without_signal, text).patch_edit.splitlines()
    found = re.match(r"@@ -(\d+),(\d+)", hunk)
    assert found is not None
    first, count = int(found[1]) - 1, int(found[2])
    source = Path(THIS).read_text().splitlines()
    source[first : first + count] = [line[1:] for line in lines if not line.startswith("-")]
    module: dict[str, Any] = {"__name__": "edited"}
    exec("\n".join(source), module)
    history = WorkflowHistory.from_json(text)
    replayer = Replayer(workflows=[module["without_signal"]])
    asyncio.run(replayer.replay_workflow(history))
