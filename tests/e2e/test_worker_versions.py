"""Redeploys in processes of their own, and the commands about them: kill -9 included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perdure.cli._exit import ExitCode

SECONDS_MAX = 60.0
CODE = """
from perdure import VersioningBehavior, activity, workflow

@activity.defn
async def mark(order: str) -> str:
    return f"{order} by VERSION"

@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class Order:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.run
    async def run(self, order: str) -> list[str]:
        first = await mark(order)
        await workflow.wait_condition(lambda: self.is_paid)
        return ["VERSION", first, await mark(order)]

    @workflow.signal
    def pay(self) -> None:
        self.is_paid = True

    @workflow.query
    def is_there(self) -> bool:
        return True
"""
STORE = ("--store", "file:app.db")


def call(folder: Path, *arguments: str, code: int = ExitCode.OK) -> str:
    """Runs a command to its end; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "perdure.cli", *arguments, *STORE],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@contextmanager
def deployed(folder: Path, build: str) -> Generator[None]:
    """A worker of a version, which is killed in the end."""
    (folder / f"shop_{build}.py").write_text(CODE.replace("VERSION", build))
    command = ["worker", f"shop_{build}.py", "--deployment-version", f"shop:{build}", *STORE]
    with subprocess.Popen([sys.executable, "-m", "perdure.cli", *command], cwd=folder) as worker:
        try:
            yield
        finally:
            worker.kill()


def start(folder: Path, order: str) -> None:
    call(folder, "workflow", "start", "Order", "--id", order, "--input", f'"{order}"')
    assert call(folder, "workflow", "query", order, "--name", "is_there").strip() == "true"


def described(folder: Path) -> Any:
    return json.loads(call(folder, "worker", "deployment", "describe", "shop", "-o", "json"))


def test_pinned_runs_wait_over_redeploys_and_kills(tmp_path: Path) -> None:
    which = ("--deployment-name", "shop", "--build-id")
    with deployed(tmp_path, "a"):
        told = call(tmp_path, "worker", "deployment", "set-current-version", *which, "a")
        assert told == "current: shop:a\n"
        start(tmp_path, "o-1")
        start(tmp_path, "o-2")
    with deployed(tmp_path, "b"):
        told = call(tmp_path, "worker", "deployment", "set-current-version", *which, "b")
        assert told == "current: shop:b (before: shop:a)\n"
        start(tmp_path, "o-3")
        for order in ("o-1", "o-3"):
            call(tmp_path, "workflow", "signal", order, "--name", "pay")
        assert json.loads(call(tmp_path, "workflow", "result", "o-3")) == [
            *("b", "o-3 by b", "o-3 by b")
        ]
        shown = call(tmp_path, "worker", "deployment", "describe", "shop").splitlines()
        assert shown[0].split() == ["VERSION", "IS", "PINNED", "MOVING", "DRAINED"]
        assert shown[1].split() == ["shop:a", "2", "0", "no"]
        assert shown[2].split() == ["shop:b", "current", "0", "0", "no"]
        assert "no worker of version shop:a" in call(tmp_path, "workflow", "describe", "o-1")
    with deployed(tmp_path, "a"):
        assert json.loads(call(tmp_path, "workflow", "result", "o-1")) == [
            *("a", "o-1 by a", "o-1 by a")
        ]
    versions = {each["build_id"]: each["pinned"] for each in described(tmp_path)["versions"]}
    assert versions == {"a": 1, "b": 0}
    assert described(tmp_path)["current_build_id"] == "b"


def test_a_share_and_a_move_by_command(tmp_path: Path) -> None:
    which = ("--deployment-name", "shop", "--build-id")
    with deployed(tmp_path, "a"):
        start(tmp_path, "o-1")
        ramp = ("worker", "deployment", "set-ramping-version", *which, "b", "--percentage", "25")
        assert call(tmp_path, *ramp) == "ramping: shop:b, 25 %\n"
        assert call(tmp_path, "worker", "deployment", "list").splitlines()[1].split() == [
            *("shop", "b,", "25", "%", "1")
        ]
    with deployed(tmp_path, "b"):
        move = ("workflow", "update-options", "o-1", "--versioning-override")
        call(tmp_path, *move, "sideways", code=ExitCode.USAGE)
        assert call(tmp_path, *move, "pinned:b").rstrip().endswith("pinned:shop:b")
        call(tmp_path, "workflow", "signal", "o-1", "--name", "pay")
        result = json.loads(call(tmp_path, "workflow", "result", "o-1"))
        assert result == ["b", "o-1 by a", "o-1 by b"]
