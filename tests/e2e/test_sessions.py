"""A session dies with its process, and the workflow begins another one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).with_name("session_worker.py")


def test_a_killed_process_fails_the_session_at_the_awaiting_call(tmp_path: Path) -> None:
    began = tmp_path / "began"
    process = subprocess.Popen([sys.executable, PROGRAM, tmp_path])
    deadline = time.monotonic() + 60
    while "convert" not in (began.read_text() if began.exists() else ""):
        assert process.poll() is None, "the program ended by itself"
        assert time.monotonic() < deadline, "the session did not begin"
        time.sleep(0.01)
    process.kill()
    process.wait()
    (tmp_path / "killed").touch()
    again = subprocess.run(
        [sys.executable, PROGRAM, tmp_path], check=True, capture_output=True, text=True, timeout=60
    )
    assert again.stdout == "1 True\n"
    names = [line.split()[0] for line in began.read_text().splitlines()]
    assert names == ["download", "convert", "download", "convert"]
