"""`perdure replay` as people use it: real processes, over a store and over exported files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from perdure.cli._exit import ExitCode

SECONDS_MAX = 60.0
RECORDED = """
import asyncio
from perdure import activity, workflow


@activity.defn
async def price(order: str) -> int:
    return len(order) * 100


@activity.defn
async def charge(order: str, amount: int) -> str:
    return f"{order}:{amount}"


@workflow.defn
async def checkout(order: str) -> int:
    print("told by the workflow")
    total = await price(order)
    await charge(order, total)
    return total


@workflow.defn
async def patient() -> None:
    await asyncio.sleep(3_600)
"""
CHANGED = RECORDED.replace("await charge(order, total)", "await charge(order, total + 5)")
IDS = ("o-1", "o-22")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two closed runs and an open one in a store; the closed ones exported, too."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "shop.py").write_text(RECORDED)
    (folder / "histories").mkdir()
    store = ("--store", "file:app.db")
    for order in IDS:
        call(folder, "run", "shop.py:checkout", "-i", f'"{order}"', "--id", order, *store)
    with subprocess.Popen(
        [sys.executable, "-m", "perdure.cli", "worker", "shop.py", *store], cwd=folder
    ) as worker:
        try:
            call(folder, "workflow", "start", "patient", "--id", "p-1", *store)
        finally:
            worker.kill()
    for order in IDS:
        call(folder, "history", "export", order, "--file", f"histories/{order}.jsonl", *store)
    (folder / "shop.py").rename(folder / "shop_then.py")
    (folder / "shop.py").write_text(CHANGED)
    return folder


def call(folder: Path, *arguments: str, code: int = ExitCode.OK) -> Any:
    """Runs a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "perdure.cli", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_code_that_fits_is_ok(folder: Path) -> None:
    done = call(folder, "replay", "shop_then.py", "--store", "file:app.db")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["TYPE", "HISTORIES", "OK", "MISMATCH", "BUG", "UNREADABLE", "UNKNOWN", "TYPE"],
        ["checkout", "2", "2"],
        ["patient", "1", "1"],
    ]
    assert "replayed 3 histories in " in done.stderr


def test_changed_code_is_shown_with_both_sides(folder: Path) -> None:
    done = call(folder, "replay", "histories", "shop.py", code=ExitCode.FAILURE)
    report = done.stdout.split("\n\n", 1)[1]
    line = 1 + RECORDED[: RECORDED.index("await charge(order")].count("\n")
    run_ids = {
        order: json.loads((folder / f"histories/{order}.jsonl").read_text().splitlines()[0])["run"]
        for order in IDS
    }
    assert report == (
        "mismatch: checkout, 2 runs\n"
        "  at event 4 history has schedule_activity of 'charge', the code asks for another one\n"
        f"    recorded  {folder}/shop.py:{line} in checkout\n"
        "                (the function has changed since; its old lines are not kept)\n"
        f"    now       {folder}/shop.py:{line} in checkout\n"
        "                await charge(order, total + 5)\n"
        "    arguments[1]: recorded 300, now 305\n"
        f"  in o-1 (run {run_ids['o-1']}, closed), o-22 (run {run_ids['o-22']}, closed)\n"
        "  → All of them have ended, so that no worker steps them again.\n"
    )


def test_programs_read_json_and_junit(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "damaged.jsonl").write_text("no history\n")
    junit = tmp_path / "results.xml"
    done = call(
        folder,
        *("replay", "shop.py", str(tmp_path / "damaged.jsonl"), "--store", "file:app.db"),
        *("-o", "json", "--junit", str(junit), "--processes", "2"),
        code=ExitCode.FAILURE,
    )
    report = json.loads(done.stdout)
    assert "told by the workflow" in done.stderr
    assert (report["ok"], report["histories"]) == (False, 4)
    assert report["verdicts"]["patient"]["ok"] == 1
    assert report["verdicts"]["checkout"]["mismatch"] == 2
    sites = [each["mismatch"]["asked"]["site"] for each in report["failures"] if each["mismatch"]]
    assert [site["source"] for site in sites] == ["await charge(order, total + 5)"] * 2
    suites = {suite.get("name"): suite for suite in ET.parse(junit).getroot()}
    assert set(suites) == {"unreadable", "checkout", "patient"}
    counts = {name: (each.get("failures"), each.get("errors")) for name, each in suites.items()}
    assert counts == {"unreadable": ("0", "1"), "checkout": ("2", "0"), "patient": ("0", "0")}
    texts = sorted(each.text or "" for each in suites["checkout"].iter("failure"))
    assert ["recorded 300, now 305" in text for text in texts] == [True, False]
    assert "recorded 400, now 405" in texts[1]


def test_the_report_says_what_to_do_about_each_sort(folder: Path) -> None:
    (folder / "impatient.py").write_text(RECORDED.replace("asyncio.sleep(3_600)", "price('x')"))
    open_one = call(
        folder,
        *("replay", "impatient.py", "--open", "--store", "file:app.db"),
        code=ExitCode.FAILURE,
    )
    assert "history has start_timer, the code asks for schedule_activity" in open_one.stdout
    assert "1 open: a worker with this code would park them" in open_one.stdout
    assert '+    if workflow.patched("patient-price"):\n' in open_one.stdout
    assert "+        await workflow.sleep(3600)  # as recorded\n" in open_one.stdout
    assert '@workflow.defn(name="patient_2")' in open_one.stdout
    buggy = RECORDED.replace("return total", "return total // 0")
    (folder / "buggy.py").write_text(buggy[: buggy.rindex("@workflow.defn")])
    broken = call(
        folder, "replay", "buggy.py", "--store", "file:app.db", code=ExitCode.FAILURE
    ).stdout
    assert "bug: checkout, 2 runs\n  ZeroDivisionError: " in broken
    assert "    return total // 0\n" in broken
    assert "unknown type: patient, 1 run\n" in broken
    assert "→ Name the file or module that defines it" in broken


def test_only_what_is_asked_for_is_replayed(folder: Path) -> None:
    store = ("--store", "file:app.db", "-o", "json")
    by_type = call(folder, "replay", "shop.py", "--workflow-type", "patient", *store)
    still_open = call(folder, "replay", "shop.py", "--open", *store)
    for done in (by_type, still_open):
        assert list(json.loads(done.stdout)["verdicts"]) == ["patient"]
    none = call(
        folder, "replay", "shop.py", "--workflow-type", "nothing", *store, code=ExitCode.NOT_FOUND
    )
    assert none.stderr.startswith("error: there are no histories of workflow type 'nothing'")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("shop.py",), ExitCode.USAGE, "which store?"),
        (("histories",), ExitCode.USAGE, "with which code?"),
        (("shop.py", "nowhere/"), ExitCode.NOT_FOUND, "no file or folder nowhere/"),
        (("shop.py", "--store", "file:no.db"), ExitCode.NOT_FOUND, "no store"),
        (("shop.py", "--store", "file:shop.py"), ExitCode.FAILURE, "shop.py"),
        (("shop.py", "histories", "--processes", "0"), ExitCode.USAGE, "at least 1"),
        (("shop.py", "histories", "--junit", "no/x.xml"), ExitCode.USAGE, "cannot be written"),
    ],
)
def test_wrong_usage_is_told(
    arguments: tuple[str, ...], code: ExitCode, said: str, folder: Path
) -> None:
    done = call(folder, "replay", *arguments, code=code)
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert said in done.stderr


def test_the_projects_own_modules_are_the_default(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text(
        f'store = "file:{folder}/app.db"\nmodules = ["{folder}/shop_then.py"]\n'
    )
    done = call(tmp_path, "replay", "-o", "json")
    assert json.loads(done.stdout)["histories"] == 3


AROUND = """
from perdure import Interceptor, WorkflowInterceptor, workflow


class Slowly(WorkflowInterceptor):
    async def execute_workflow(self, call, proceed):
        await workflow.sleep(0.01)
        return await proceed(call)


class Slow(Interceptor):
    def workflow_interceptor(self):
        return Slowly()
"""


def test_a_project_s_interceptors_stand_around_runs_and_their_replays(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(RECORDED)
    (tmp_path / "around.py").write_text(AROUND)
    configuration = tmp_path / "perdure.toml"
    plain = 'store = "file:app.db"\nmodules = ["shop.py"]\n'
    configuration.write_text(f'{plain}interceptors = ["around.py:Slow"]\n')
    below = tmp_path / "below"
    below.mkdir()
    run = ("run", "../shop.py:checkout", "-i", '"o-1"', "--store", "file:../app.db")
    call(below, *run)
    assert json.loads(call(below, "replay", "-o", "json").stdout)["histories"] == 1
    # Their timer is in the history: without them the code does not fit.
    configuration.write_text(plain)
    failed = call(tmp_path, "replay", code=ExitCode.FAILURE)
    assert "history has start_timer, the code asks for schedule_activity" in failed.stdout
    configuration.write_text(f'{plain}interceptors = ["around.py:Nobody"]\n')
    wrong = call(tmp_path, "replay", code=ExitCode.USAGE)
    assert "has no Interceptor called 'Nobody'" in wrong.stderr


CLOCKS = """
from datetime import UTC, datetime
from random import random
from perdure import workflow


def stamp() -> str:
    return datetime.now(UTC).isoformat()


@workflow.defn
async def stamped() -> bool:
    with workflow.unsafe.unguarded():
        datetime.now(UTC)
    return bool(stamp()) and [stamp(), random()] != []
"""


def test_a_strict_replay_names_the_lines_that_read_another_clock(tmp_path: Path) -> None:
    (tmp_path / "clocks.py").write_text(CLOCKS)
    store = ("--store", "file:app.db")
    for number in range(2):
        call(tmp_path, "run", "clocks.py:stamped", "--id", f"s-{number}", *store)
    call(tmp_path, "replay", "clocks.py", *store)
    report = call(tmp_path, "replay", "clocks.py", "--strict", *store, code=ExitCode.FAILURE).stdout
    file = tmp_path / "clocks.py"
    first = f"{file}:8: PRD2101 datetime.now (in stamp)"
    second = f"{file}:15: PRD2201 random.random, imported by name (in stamped)"
    assert report.count(first) == report.count(second) == 1
    assert "unrepeatable: stamped, 2 runs" in report
    assert "workflow.now()" in report
    for processes in ("1", "2"):
        told = call(
            *(tmp_path, "replay", "clocks.py", "--strict", "-o", "json"),
            *("--processes", processes, *store),
            code=ExitCode.FAILURE,
        )
        for failure in json.loads(told.stdout)["failures"]:
            found = [(each["code"], each["line"]) for each in failure["findings"]]
            assert found == [("PRD2101", 8), ("PRD2201", 15)]
            assert failure["verdict"] == "unrepeatable"
