"""The witness log, and the progress that is drawn from it."""

import io
import os
from pathlib import Path

import pytest

from examples.code_audit.progress import Progress
from examples.code_audit.witness import VARIABLE, WitnessReader, witnessed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "witness.log"
    monkeypatch.setenv(VARIABLE, str(file))
    return file


def test_a_second_attempt_is_counted_as_again(log: Path) -> None:
    with witnessed("a.go"):
        pass
    with witnessed("b.py"):
        pass
    with witnessed("a.go"):
        pass
    reader = WitnessReader(log)
    reader.read()
    assert (reader.attempts, reader.again, reader.ended) == (3, 1, {"a.go", "b.py"})


def test_an_attempt_that_fails_has_ended_and_one_that_was_killed_has_not(log: Path) -> None:
    with pytest.raises(ValueError, match="bad"), witnessed("a.go"):
        raise ValueError("bad")
    pid = os.fork()
    if pid == 0:
        with witnessed("b.go"):
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    reader = WitnessReader(log)
    reader.read()
    assert (reader.attempts, reader.ended) == (2, {"a.go"})


def test_a_line_counts_when_it_is_complete(log: Path) -> None:
    reader = WitnessReader(log)
    reader.read()
    for text, attempts in (
        ("begun\t7\ta.go\nbegun\t9\tb", 1),
        (".go\n", 2),
        ("ended\t11\ta.go\n", 2),
    ):
        with log.open("a") as file:
            file.write(text)
        reader.read()
        assert reader.attempts == attempts
    assert reader.begun == {"a.go": 1, "b.go": 1}
    assert reader.begun_last_us == {"a.go": 7, "b.go": 9}


def test_without_the_variable_nothing_is_written(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    with witnessed("a.go"):
        pass
    assert not log.exists()


def test_progress_draws_over_itself_on_a_terminal(log: Path) -> None:
    out = Terminal()
    progress = Progress(["a.go", "b.go", "c.py"], WitnessReader(log), out)
    progress.draw()
    with witnessed("a.go"):
        pass
    progress.draw()
    first, second = out.getvalue().split("\x1b[3F\x1b[J")
    assert first.count("\n") == 3
    assert "0 of 2" in first
    assert "1 of 2" in second
    assert "TypeScript" not in second
    assert "1 of 3 files" in second
    assert "0 ran again" in second


def test_progress_keeps_quiet_in_a_pipe_until_the_end(log: Path) -> None:
    out = io.StringIO()
    progress = Progress(["a.go"], WitnessReader(log), out)
    progress.draw()
    assert out.getvalue() == ""
    progress.finish()
    assert "0 of 1 files" in out.getvalue()
    assert "\x1b" not in out.getvalue()
