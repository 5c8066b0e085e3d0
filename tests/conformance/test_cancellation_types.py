"""B3 and B4: each way to cancel a call, at a worker that never heartbeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.client import WorkflowHandle
from tests.conformance.service import CancelWhenTold
from tests.conformance.stand import Stand
from tests.e2e.waiting import until

LONG_MS = 300_000
SHORT_MS = 1_000


def _watch(
    stand: Stand, kind: str, file: Path, name: str, milliseconds: int = LONG_MS
) -> WorkflowHandle[str]:
    """A run whose activity has begun."""
    handle = stand.start(CancelWhenTold.run, kind, str(file), name, milliseconds)
    _wait_for(stand, file, f"begun {name}")
    return handle


def _cancel(stand: Stand, handle: WorkflowHandle[str]) -> str:
    stand.run(handle.signal(CancelWhenTold.cancel_now))
    return str(stand.result(handle))


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _wait_for(stand: Stand, file: Path, line: str) -> None:
    stand.run(until(lambda: line in _lines(file)))


def test_b3_try_goes_on_at_once_and_the_worker_is_told(stand: Stand, tmp_path: Path) -> None:
    file = tmp_path / "watch"
    handle = _watch(stand, "TRY_CANCEL", file, "one")
    assert _cancel(stand, handle) == "cancelled at once"
    _wait_for(stand, file, "cancelled one")
    # What the handler returned after its cancel reaches nobody.
    assert stand.events(handle, "activity_completed") == []


def test_b4_wait_completed_gives_the_value_of_a_handler_that_heard_of_the_cancel(
    stand: Stand, tmp_path: Path
) -> None:
    file = tmp_path / "watch"
    handle = _watch(stand, "WAIT_CANCELLATION_COMPLETED", file, "one")
    assert _cancel(stand, handle) == "the value cancelled one"
    assert _lines(file) == ["begun one", "cancelled one"]
    assert len(stand.events(handle, "activity_completed")) == 1


def test_b3_abandon_goes_on_at_once_and_the_worker_is_never_told(
    stand: Stand, tmp_path: Path
) -> None:
    file = tmp_path / "watch"
    handle = _watch(stand, "ABANDON", file, "left", SHORT_MS)
    assert _cancel(stand, handle) == "cancelled at once"
    # A later cancel overtakes none on its way.
    assert _cancel(stand, _watch(stand, "TRY_CANCEL", file, "other")) == "cancelled at once"
    _wait_for(stand, file, "cancelled other")
    _wait_for(stand, file, "ended left")
    assert "cancelled left" not in _lines(file)


@pytest.mark.parametrize("kind", ["TRY_CANCEL", "WAIT_CANCELLATION_COMPLETED"])
def test_a10_a_terminated_run_tells_its_worker(stand: Stand, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "watch"
    handle = _watch(stand, kind, file, "one")
    stand.run(handle.terminate("enough"))
    _wait_for(stand, file, "cancelled one")
    assert _lines(file) == ["begun one", "cancelled one"]
