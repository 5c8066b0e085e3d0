"""The decorator warns of what the linter finds: where it is asked to, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.cli._program import load
from perdure.cli.lint import notice_findings

MODULE = """\
import time
from datetime import datetime

from perdure import workflow


def stamp() -> datetime:
    return datetime.now()


@workflow.defn(name="the-checkout")
async def checkout() -> str:
    return str(stamp())


@workflow.defn
class Approval:
    @workflow.run
    async def run(self) -> None:
        time.sleep(1)
"""
WARNINGS = [
    "LintWarning: PRD2101 `datetime.now()` reads the machine's clock: write `workflow.now()`",
    "LintWarning: PRD2501 `time.sleep` blocks every run of the worker: write `await asyncio",
]


def imported(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Imports the module in a process of its own."""
    (folder / "shop_to_lint.py").write_text(MODULE)
    kept = {key: value for key, value in os.environ.items() if key != "PERDURE_LINT"}
    return subprocess.run(
        [sys.executable, *options, "-c", "import shop_to_lint, sys; print(*sys.modules)"],
        cwd=folder,
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_read_unless_it_is_asked_for(tmp_path: Path) -> None:
    done = imported(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "perdure.workflow" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith("perdure.lint")]


@pytest.mark.parametrize(
    ("options", "variables"),
    [([], {"PERDURE_LINT": "1"}), (["-X", "dev"], {})],
    ids=["variable", "development mode"],
)
def test_findings_are_warnings_once_each(
    options: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    done = imported(tmp_path, *options, **variables)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "LintWarning" in line]
    assert len(warned) == len(WARNINGS), done.stderr
    for line, place, text in zip(warned, ("8", "20"), WARNINGS, strict=True):
        assert f"shop_to_lint.py:{place}: {text}" in line


def test_development_mode_can_do_without(tmp_path: Path) -> None:
    assert "LintWarning" not in imported(tmp_path, "-X", "dev", PERDURE_LINT="0").stderr


def test_warnings_can_be_errors(tmp_path: Path) -> None:
    done = imported(tmp_path, "-W", "error::UserWarning", PERDURE_LINT="1")
    assert done.returncode == 1
    assert "PRD2101" in done.stderr


def test_a_program_that_is_loaded_is_told_what_is_wrong_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop_to_notice.py").write_text(MODULE)
    notice_findings(load([str(tmp_path / "shop_to_notice.py")]))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split()[1] for line in printed.err.splitlines()[::2]] == ["PRD2101", "PRD2501"]
