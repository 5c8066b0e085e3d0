"""`Replayer`: recorded runs of one release against the code of later ones."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, workflow
from perdure.errors import (
    NondeterminismError,
    NotFoundError,
    ServerError,
    StoreDamagedError,
    UnknownWorkflowError,
    WorkflowParkedError,
)
from perdure.testing import Replayer, ReplayVerdict, WorkflowHistory, WorkflowReplayResult
from tests.replay import shop

CLOSED_RUNS = 3
OK = ReplayVerdict.OK


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with closed runs, one that is open, and one of another namespace."""
    path = tmp_path_factory.mktemp("recorded") / "app.db"

    async def record() -> None:
        client = await Client.connect(f"file:{path}")
        other = await Client.connect(f"file:{path}", namespace="other")
        workflows: list[Any] = [shop.recorded, shop.approval]
        async with Worker(client, workflows=workflows, activities=[shop.price, shop.charge]):
            for number in range(CLOSED_RUNS):
                order = f"o-{number}"
                await client.execute_workflow(shop.recorded, order, id=order)
            await other.execute_workflow(shop.recorded, "elsewhere", id="elsewhere")
            await client.start_workflow(shop.approval, 1, id="open")

    asyncio.run(record())
    return path


@pytest.fixture(scope="module")
def text(store: Path) -> str:
    """One of the closed runs, exported."""

    async def export() -> str:
        client = await Client.connect(f"file:{store}")
        return await (await client.get_workflow_handle("o-1")).fetch_history()

    return asyncio.run(export())


def replay(target: Any, text: str) -> WorkflowReplayResult:
    replayer = Replayer(workflows=[target])
    history = WorkflowHistory.from_json(text)
    return asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False))


def line_of(target: Any, part: str) -> int:
    """The line of the file at which the workflow has this text."""
    first: int = target.fn.__code__.co_firstlineno
    lines = Path(shop.__file__).read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if n > first and part in line)


@pytest.mark.parametrize("target", [shop.recorded, shop.longer_sleep])
def test_code_that_asks_for_the_same_is_ok(target: Any, text: str) -> None:
    result = replay(target, text)
    assert (result.verdict, result.replay_failure, result.is_closed) == (OK, None, True)
    assert (result.workflow_id, result.workflow_type) == ("o-1", "checkout")
    assert len(result.run_id) == 32


CHARGE = "schedule_activity of 'charge'"
MISMATCHES: list[tuple[Any, str, list[str], str | None]] = [
    (
        shop.other_activity,
        f"history has {CHARGE}, the code asks for schedule_activity of 'refund'",
        ["name: recorded 'charge', now 'refund'"],
        "await refund(",
    ),
    (
        shop.other_argument,
        "history has schedule_activity of 'charge', the code asks for another one",
        ["arguments[0]['amount']: recorded 305, now 306"],
        "start_activity(",
    ),
    (
        shop.no_sleep,
        "history has start_timer, the code asks for schedule_activity of 'charge'",
        [],
        "await charge(",
    ),
    (
        shop.other_result,
        "history has complete_run, the code asks for another one",
        ["result['total']: recorded 305, now 610"],
        None,
    ),
    (
        shop.sleeps_at_once,
        "history has nothing, the code asks for start_timer",
        [],
        # A task of the standard library alone: no line of the workflow is in its stack.
        None,
    ),
    (
        shop.waits_for_ever,
        "history has start_timer, the code no longer asks for it",
        [],
        "Event().wait()",
    ),
    (shop.fails, "history has start_timer, the code asks for fail_run", [], "raise "),
    (
        shop.takes_back,
        "history has schedule_activity of 'price', the code asks for start_timer",
        [],
        None,
    ),
]


@pytest.mark.parametrize(
    ("target", "title", "differences", "now"),
    MISMATCHES,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_mismatch_shows_both_sides(
    target: Any, title: str, differences: list[str], now: str | None, text: str
) -> None:
    result = replay(target, text)
    assert result.verdict is ReplayVerdict.MISMATCH
    mismatch = result.mismatch
    assert mismatch is not None
    assert mismatch.title == title
    shown = [
        f"{each.field}: recorded {each.recorded}, now {each.asked}" for each in mismatch.differences
    ]
    assert shown == differences
    site = mismatch.waits_at if mismatch.asked is None else mismatch.asked.site
    if now is None:
        assert site is None
    else:
        assert site is not None
        assert (site.file, site.line) == (shop.__file__, line_of(target, now))
        assert site.source is not None
        assert now in site.source
    recorded = None if mismatch.recorded is None else mismatch.recorded.site
    if recorded is not None:
        # The recorded function stands beside its successors, unchanged.
        assert recorded.function == "recorded"
        assert recorded.source in {
            'total = await price(order) + FEE["amount"]',
            "await asyncio.sleep(0.001)",
            "await charge(Order(order, total))",
        }
        assert str(recorded) in result.reason
    for part in (title, *differences):
        assert part in result.reason


@pytest.mark.parametrize(
    ("then", "now", "title"),
    [
        (
            shop.takes_back,
            shop.keeps,
            "history has cancel_timer, the code no longer asks for it",
        ),
        (shop.keeps, shop.takes_back, "history has nothing, the code asks for cancel_timer"),
    ],
    ids=["recorded", "asked"],
)
def test_a_cancel_is_named_too(then: Any, now: Any, title: str, tmp_path: Path) -> None:
    async def record() -> str:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with Worker(client, workflows=[then], activities=[shop.price]):
            handle = await client.start_workflow(then, "o-1")
            await handle.result()
            return await handle.fetch_history()

    text = asyncio.run(record())
    assert replay(then, text).verdict is OK
    mismatch = replay(now, text).mismatch
    assert mismatch is not None
    assert mismatch.title == title
    # The timer's task has no line of the workflow in its stack, and whoever runs the worker is
    # no call site.
    assert Path(__file__).name not in text


def test_a_line_is_only_shown_while_its_function_is_as_it_was(text: str) -> None:
    changed = re.sub(r'"source_hash":\d+', '"source_hash":17', text)
    result = replay(shop.other_activity, changed)
    assert result.mismatch is not None
    assert result.mismatch.recorded is not None
    assert result.mismatch.recorded.site is not None
    assert result.mismatch.recorded.site.source is None
    assert "the function has changed since" in result.reason


def test_the_line_is_found_where_the_code_is_today(text: str) -> None:
    """A history of another machine names a folder that is not here."""
    elsewhere = text.replace(shop.__file__, "/srv/release-1/shop.py")
    result = replay(shop.other_activity, elsewhere)
    assert result.mismatch is not None
    assert result.mismatch.recorded is not None
    site = result.mismatch.recorded.site
    assert site is not None
    assert (site.file, site.source) == (
        "/srv/release-1/shop.py",
        "await charge(Order(order, total))",
    )


def test_code_that_changes_by_itself_is_told_so(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Rising(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            self["amount"] = super().__getitem__(key) + 1
            return super().__getitem__(key)

    monkeypatch.setattr(shop, "FEE", Rising(amount=3))
    # The first replay sees 4, the one that observes it sees the 5 that was recorded.
    result = replay(shop.recorded, text)
    assert result.verdict is ReplayVerdict.MISMATCH
    assert "changes by itself" in result.reason


def test_a_bug_is_shown_from_the_first_frame_of_user_code(text: str) -> None:
    result = replay(shop.buggy, text)
    assert result.verdict is ReplayVerdict.BUG
    assert result.reason.startswith("ZeroDivisionError: ")
    assert result.traceback.splitlines()[1].strip().startswith(f'File "{shop.__file__}"')


def test_failures_are_raised_as_what_they_are(text: str) -> None:
    async def raised(target: Any, text: str) -> None:
        await Replayer(workflows=[target]).replay_workflow(WorkflowHistory.from_json(text))

    with pytest.raises(
        NondeterminismError, match="asks for schedule_activity of 'refund'"
    ) as found:
        asyncio.run(raised(shop.other_activity, text))
    assert found.value.line == line_of(shop.other_activity, "await refund(")
    with pytest.raises(WorkflowParkedError, match="ZeroDivisionError"):
        asyncio.run(raised(shop.buggy, text))
    with pytest.raises(UnknownWorkflowError, match="'checkout'"):
        asyncio.run(raised(shop.approval, text))
    without_an_event = "".join(
        line for line in text.splitlines(keepends=True) if '"activity_completed"' not in line
    )
    with pytest.raises(StoreDamagedError, match="o-1"):
        asyncio.run(raised(shop.recorded, without_an_event))


@pytest.mark.parametrize("cut", [0, 1, 40, 200])
def test_what_is_no_history_is_refused(cut: int, text: str) -> None:
    with pytest.raises(StoreDamagedError, match="no exported history"):
        WorkflowHistory.from_json(text[:cut])


def test_two_workflows_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="checkout"):
        Replayer(workflows=[shop.recorded, shop.buggy])


def test_a_whole_store(store: Path) -> None:
    results = asyncio.run(
        Replayer(workflows=[shop.recorded, shop.approval]).replay_workflows(f"file:{store}")
    )
    assert results.is_ok
    by_id = {each.workflow_id: each.is_closed for each in results.results}
    assert by_id == {"o-0": True, "o-1": True, "o-2": True, "elsewhere": True, "open": False}
    assert results.verdicts["checkout"][OK] == CLOSED_RUNS + 1
    assert results.verdicts["approval"][OK] == 1


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    for place in (f"file:{tmp_path}/app.db", tmp_path / "histories"):
        with pytest.raises(NotFoundError):
            asyncio.run(Replayer(workflows=[shop.recorded]).replay_workflows(place))


def test_a_folder_with_a_damaged_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/good.jsonl").write_text(text)
    # In the middle of a line: whole lines alone would be a history that goes on.
    (tmp_path / "cut.jsonl").write_text(text.rstrip()[:-10])
    (tmp_path / "noise.json").write_bytes(b"\xff\xfe\x00 no history")
    (tmp_path / "README.md").write_text("These are histories.")
    replayer = Replayer(workflows=[shop.recorded])
    results = asyncio.run(replayer.replay_workflows(tmp_path, raise_on_replay_failure=False))
    verdicts = [each.verdict for each in results.results]
    assert verdicts == [ReplayVerdict.UNREADABLE, OK, ReplayVerdict.UNREADABLE]
    assert not results.is_ok
    assert set(results.replay_failures) == {results.results[0].run_id, f"{tmp_path}/noise.json"}
    with pytest.raises(StoreDamagedError):
        asyncio.run(replayer.replay_workflows(tmp_path))
    one = asyncio.run(replayer.replay_workflows(tmp_path / "inside/good.jsonl"))
    assert [each.verdict for each in one.results] == [OK]


def test_many_in_processes_keep_their_order(store: Path, text: str) -> None:
    """In processes of their own, and what their code prints does no harm."""
    histories = [WorkflowHistory.from_json(text)] * 50
    broken = "".join(text.splitlines(keepends=True)[:-1]).replace('"value":300', '"value":301')
    histories[17] = WorkflowHistory.from_json(broken)

    async def listed() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    replayer = Replayer(workflows=[shop.longer_sleep], processes=2)
    results = asyncio.run(replayer.replay_workflows(listed(), raise_on_replay_failure=False))
    assert [each.index for each in results.results] == list(range(50))
    wrong = [each for each in results.results if each.verdict is not OK]
    assert [each.index for each in wrong] == [17]
    here = replay(shop.longer_sleep, broken)
    assert wrong == [here]
    assert here.mismatch is not None
    assert here.mismatch.differences[0].asked == "306"
    stored = asyncio.run(
        Replayer(workflows=[shop.longer_sleep, shop.approval], processes=2).replay_workflows(
            str(store)
        )
    )
    assert len(stored.results) == CLOSED_RUNS + 2


def test_a_history_that_ends_its_process_costs_only_itself(store: Path) -> None:
    replayer = Replayer(workflows=[shop.ends_the_process, shop.approval], processes=1 + 1)
    results = asyncio.run(
        replayer.replay_workflows(f"file:{store}", raise_on_replay_failure=False)
    ).results
    assert len(results) == CLOSED_RUNS + 2
    for each in results:
        if each.workflow_type == "approval":
            assert each.verdict is OK
        else:
            assert each.verdict is ReplayVerdict.BUG
            assert "exit code 7" in each.reason


def test_workflows_that_no_other_process_finds_are_replayed_here(text: str) -> None:
    @workflow.defn(name="checkout")
    async def inside(order: str) -> dict[str, int]:
        return await shop.recorded(order)

    replayer = Replayer(workflows=[inside], processes=2)
    results = asyncio.run(replayer.replay_workflows([WorkflowHistory.from_json(text)]))
    assert results.is_ok


def test_a_process_that_cannot_import_the_workflows_says_so(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("made_at_run_time")
    source = "from tests.replay.shop import *\n@workflow.defn(name='checkout')\n"
    exec(f"{source}async def ghost(order: str) -> dict: return {{}}\n", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    replayer = Replayer(workflows=[vars(module)["ghost"]], processes=2)
    with pytest.raises(ServerError, match="made_at_run_time"):
        asyncio.run(replayer.replay_workflows([WorkflowHistory.from_json(text)]))
