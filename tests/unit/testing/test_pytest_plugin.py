"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SHOP = """
import asyncio
from perdure import activity, workflow

@activity.defn
async def price(order: str) -> int:
    return len(order)

@workflow.defn
async def checkout(order: str) -> int:
    await asyncio.sleep(86_400)
    return await price(order)
"""
_TESTS = """
from datetime import timedelta
from perdure import Worker
from perdure.testing import mock_activity
from shop import checkout, price

async def test_async(perdure_env, tmp_path):
    began = await perdure_env.get_current_time()
    async with Worker(perdure_env.client, workflows=[checkout], activities=[price]):
        assert await perdure_env.client.execute_workflow(checkout, "abc") == 3
    assert await perdure_env.get_current_time() - began == timedelta(days=1)

def test_sync(perdure_sync_env):
    mock = mock_activity(price, return_value=7)
    with perdure_sync_env.worker(workflows=[checkout], activities=[mock]):
        handle = perdure_sync_env.client.start_workflow(checkout, "abc", id="o-1")
        began = perdure_sync_env.get_current_time()
        perdure_sync_env.sleep(timedelta(hours=25))
        assert perdure_sync_env.get_current_time() - began == timedelta(hours=25)
        assert handle.result() == 7
    with open("histories/o-1.jsonl", "w") as file:
        file.write(handle.fetch_history())

async def test_fails(perdure_env):
    assert perdure_env is None
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(_SHOP)
    (tmp_path / "test_shop.py").write_text(_TESTS)
    (tmp_path / "histories").mkdir()
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npythonpath = .\nperdure_workflows = shop\nfilterwarnings = error\n"
    )
    return tmp_path


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_fixtures_and_replay(folder: Path) -> None:
    code, output = run_pytest(folder)
    assert code == 1
    assert "1 failed, 2 passed" in output
    assert "test_fails" in output

    code, output = run_pytest(folder, "--perdure-replay", "histories", "-k", "replay")
    assert code == 0, output
    assert "1 passed, 3 deselected" in output

    (folder / "shop.py").write_text(_SHOP.replace("await asyncio.sleep(86_400)", ""))
    code, output = run_pytest(folder, "--perdure-replay", "histories", "-k", "replay")
    assert code == 1
    assert "at event 2 history has start_timer" in output
    assert "replay[checkout-o-1.jsonl]" in output


def test_replay_says_what_is_missing(folder: Path) -> None:
    code, output = run_pytest(folder, "--perdure-replay", "histories")
    assert code == 4
    assert "there are no histories in histories" in output
    code, output = run_pytest(folder, "--perdure-replay", "nowhere")
    assert code == 4
    assert "no file or folder nowhere" in output
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    code, output = run_pytest(folder, "--perdure-replay", "histories")
    assert code == 4
    assert "with which workflows?" in output
