"""What the killing driver reads off the workers' log and the history."""

import json
from pathlib import Path

import pytest

from examples.code_audit.kill import REPORTS, _outcome
from examples.code_audit.session import Session
from examples.code_audit.witness import WitnessReader

RECORDED_US = 1_000
HISTORY = [
    {"n": 2, "at_us": 1, "command": {"kind": "schedule_activity", "name": "list_files"}},
    {
        "n": 5,
        "at_us": 2,
        "command": {
            "kind": "schedule_activity",
            "name": "analyze",
            "arguments": {"value": ["/tree", "a.go"]},
        },
    },
    {"n": 6, "at_us": 3, "event": {"kind": "activity_attempt_failed", "command_n": 5}},
    {"n": 7, "at_us": RECORDED_US, "event": {"kind": "activity_completed", "command_n": 5}},
]


@pytest.mark.parametrize(
    ("begun_us", "too_late"), [(RECORDED_US - 1, ()), (RECORDED_US + 1, ("a.go",))]
)
def test_an_attempt_after_its_result_was_recorded_is_found(
    tmp_path: Path, begun_us: int, too_late: tuple[str, ...]
) -> None:
    session = Session(tmp_path / "tree", tmp_path)
    session.history.write_text("\n".join(map(json.dumps, HISTORY)))
    session.witness.write_text(f"begun\t5\ta.go\nbegun\t{begun_us}\ta.go\nended\t999\ta.go\n")
    for name in REPORTS:
        (tmp_path / name).write_text("{}")
    witness = WitnessReader(session.witness)
    witness.read()
    outcome = _outcome(session, witness)
    assert outcome.too_late == too_late
    assert (outcome.attempts, outcome.again, outcome.results, outcome.lost) == (2, 1, 1, 1)
