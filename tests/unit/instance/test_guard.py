"""What reaches out of workflow code is refused at the line; what the interpreter needs passes."""

from __future__ import annotations

import asyncio
import importlib
import linecache
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import traceback
import urllib.request
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import NondeterminismError
from perdure.instance._guard import unguarded
from tests.unit.instance.test_substitution import in_workflow

HERE = Path(__file__)

REACHING_OUT: dict[str, tuple[Callable[[], Any], str]] = {
    "open": (lambda: open(__file__), "read_file"),  # noqa: SIM115, PTH123
    "pathlib": (lambda: HERE.read_text(), "read_file"),
    "listdir": (lambda: os.listdir("/"), "list_files"),  # noqa: PTH208
    "glob": (lambda: list(Path("/").glob("*")), "list_files"),
    "mkdir": (lambda: Path("/nowhere/at/all").mkdir(), "write_report"),
    "rename": (lambda: Path("/nowhere").rename("/else"), "write_report"),
    "remove": (lambda: Path("/nowhere").unlink(), "write_report"),
    "tempfile": (lambda: tempfile.mkdtemp(), "write_report"),
    "socket": (lambda: socket.socket(), "fetch"),
    "resolve": (lambda: socket.getaddrinfo("localhost", 1), "fetch"),
    "urlopen": (lambda: urllib.request.urlopen("http://127.0.0.1:1/"), "fetch"),
    "popen": (lambda: subprocess.Popen(["true"]), "run_command"),
    "system": (
        lambda: os.system("true"),  # pyright: ignore[reportDeprecated]
        "run_command",
    ),
    "fork": (lambda: os.fork(), "run_command"),
    "sqlite": (lambda: sqlite3.connect(":memory:"), "load_order"),
    "environment": (lambda: os.putenv("A", "b"), "configure"),
}


@pytest.mark.parametrize("name", sorted(REACHING_OUT))
def test_reaching_out_names_the_line_and_the_activity(name: str) -> None:
    call, activity = REACHING_OUT[name]

    def main() -> None:
        call()

    with pytest.raises(NondeterminismError) as raised:
        in_workflow(main)
    assert raised.value.file == __file__
    assert raised.value.line == call.__code__.co_firstlineno
    assert activity in str(raised.value)
    assert "@activity.defn" in str(raised.value)


def test_the_same_is_allowed_outside(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert (tmp_path / "file").read_text() == "text"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
    assert subprocess.run(["true"], check=False).returncode == 0
    with socket.socket() as opened:
        assert opened.fileno() > 0
    sqlite3.connect(":memory:").close()


def test_imports_pass_and_their_code_may_open_files(tmp_path: Path) -> None:
    (tmp_path / "guarded_module.py").write_text(
        "from pathlib import Path\nTEXT = Path(__file__).read_text()\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        importlib.invalidate_caches()
        text = in_workflow(lambda: importlib.import_module("guarded_module").TEXT)
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["guarded_module"]
    assert text.startswith("from pathlib")


def test_tracebacks_pass() -> None:
    def main() -> str:
        linecache.clearcache()
        try:
            raise ValueError("here")
        except ValueError:
            return traceback.format_exc()

    assert 'raise ValueError("here")' in in_workflow(main)


def test_time_zones_pass() -> None:
    def main() -> str:
        return zoneinfo.ZoneInfo.no_cache("Europe/Berlin").key

    assert in_workflow(main) == "Europe/Berlin"


def test_log_files_pass(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    logger = logging.Logger("guard")
    logger.addHandler(handler)
    in_workflow(lambda: logger.error("from the workflow"))
    handler.close()
    assert (tmp_path / "log").read_text() == "from the workflow\n"


def test_unguarded_ends_with_its_block_even_for_tasks_begun_inside() -> None:
    seen: list[str] = []

    async def read() -> None:
        try:
            HERE.read_text()
            seen.append("read")
        except NondeterminismError:
            seen.append("refused")

    async def main() -> None:
        with unguarded():
            HERE.read_text()
            task = asyncio.create_task(read())
            await asyncio.create_task(read())
            late = asyncio.create_task(read())
        await asyncio.gather(task, late)
        await read()

    in_workflow(main)
    assert seen == ["read", "read", "refused", "refused"]


def test_an_error_of_the_guard_does_not_leave_it_off() -> None:
    def main() -> int:
        refusals = 0
        for _ in range(3):
            try:
                HERE.read_text()
            except NondeterminismError:
                refusals += 1
        return refusals

    assert in_workflow(main) == 3
