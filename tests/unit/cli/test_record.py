"""`perdure test record`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SHOP = """
from perdure import activity, workflow

@activity.defn
async def price(order: str) -> int:
    return len(order)

@workflow.defn
async def checkout(order: str) -> int:
    return await price(order) * 100
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_run_becomes_a_test(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    ran = ("run", "shop.py:checkout", "--input", '"abc"', "--store", "file:a.db", "--id", "Order 1")
    code, output = run(tmp_path, "perdure.cli", *ran)
    assert code == 0, output
    code, output = run(
        tmp_path, "perdure.cli", "test", "record", "Order 1", "shop.py", "--store", "file:a.db"
    )
    assert code == 0, output
    assert "tests/recorded/test_order_1.py" in output

    pytest = ("pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "tests")
    code, output = run(tmp_path, *pytest)
    assert (code, "1 passed" in output) == (0, True), output
    (tmp_path / "shop.py").write_text(SHOP.replace("* 100", "* 101"))
    code, output = run(tmp_path, *pytest)
    assert (code, "NondeterminismError" in output) == (1, True), output


def test_the_program_must_have_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    code, output = run(tmp_path, "perdure.cli", "test", "record", "o-1", "--store", "file:a.db")
    assert code == 2
    assert "of which code?" in output
