"""The command line as people use it: real processes, killed ones among them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perdure.cli._exit import ExitCode

SECONDS_MAX = 60.0
PROGRAM = """
import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta

from perdure import RetryPolicy, activity, errors, workflow


@dataclass
class Receipt:
    order: str
    total: int


def note(line: str) -> None:
    with open("effects", "a") as file:
        file.write(line + "\\n")


@activity.defn
async def price(order: str) -> int:
    return len(order) * 100


@activity.defn
async def step(number: int) -> int:
    note(f"{os.getpid()} {number}")
    await asyncio.sleep(0.02)
    return number


@activity.defn
async def decline(order: str) -> int:
    raise errors.ApplicationError("no funds", 7, type="CardDeclined", non_retryable=order == "bad")


@workflow.defn
async def checkout(order: str, tip: int = 0) -> Receipt:
    return Receipt(order, await price(order) + tip)


@workflow.defn
async def failing(order: str) -> int:
    slowly = RetryPolicy(initial_interval=timedelta(seconds=90))
    return await decline.options(retry_policy=slowly)(order)


@workflow.defn
async def buggy() -> int:
    return 1 // 0


@workflow.defn
async def count(steps: int) -> int:
    return sum([await step(number) for number in range(steps)])


@workflow.defn
async def wait() -> str:
    await asyncio.sleep(3_600)
    return "late"


@workflow.defn(name="hears")
class Hears:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.words)
        return self.words

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)
"""


class Shell:
    """A folder in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "error"}
        self.environment.pop("PERDURE_STORE", None)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command, with its output in one stream."""
        return subprocess.Popen(
            [sys.executable, "-m", "perdure.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "perdure.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def answer(self, typed: bytes, *arguments: str) -> int:
        """Runs a command at a terminal, at which somebody types."""
        terminal, typing = os.openpty()
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "perdure.cli", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=typing,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process:
                os.write(terminal, typed)
                return process.wait(SECONDS_MAX)
        finally:
            os.close(terminal)
            os.close(typing)

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with `-o json`."""
        done = self.call(*arguments, "-o", "json")
        assert done.returncode == ExitCode.OK, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "app.py").write_text(PROGRAM)
    return Shell(tmp_path)


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Generator[subprocess.Popen[str]]:
    """Ends the process with the block."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """The output up to the line in which the pattern is found."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    pytest.fail(f"ended without {pattern!r}:\n{''.join(seen)}")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stable(text: str) -> str:
    """A text without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "<run>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "<time>", text)
    text = re.sub(r"\d\d:\d\d:\d\d(\.\d{3}|Z)", "<clock>", text)
    text = re.sub(r"\b\d+\.\d+s\b", "<took>", text)
    return re.sub(r" {2,}", "  ", text)


def test_run_prints_the_result(shell: Shell) -> None:
    done = shell.call("run", "app.py:checkout", "--input", '"o-1"')
    assert done.returncode == ExitCode.OK, done.stderr
    assert (json.loads(done.stdout), done.stderr) == ({"order": "o-1", "total": 300}, "")
    outcome = shell.json("run", "app.py:checkout", "-i", '"o-1"', "-i", "5")
    assert outcome["status"] == "completed"
    assert outcome["result"] == {"order": "o-1", "total": 305}
    assert {each.name for each in shell.folder.iterdir()} <= {"__pycache__", "app.py"}


def test_run_says_why_a_run_failed(shell: Shell) -> None:
    done = shell.call("run", "app.py:failing", "--input", '"bad"')
    assert done.returncode == ExitCode.FAILURE
    assert stable(done.stderr) == (
        "run <run> failed\n"
        "  because of ActivityError: activity decline failed at attempt 1: it may not be retried\n"
        "  because of CardDeclined: no funds\n"
    )
    done = shell.call("run", "app.py:failing", "--input", '"bad"', "-o", "json")
    assert done.returncode == ExitCode.FAILURE
    failure = json.loads(done.stdout)["failure"]
    assert (failure["activity"], failure["attempt"]) == ("decline", 1)
    assert failure["cause"]["type"] == "CardDeclined"
    assert failure["cause"]["details"] == [7]


def test_run_shows_the_bug_that_parks_a_run(shell: Shell) -> None:
    done = shell.call("run", "app.py:buggy")
    assert done.returncode == ExitCode.FAILURE
    assert "is parked (PRD1202): ZeroDivisionError" in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "return 1 // 0" in done.stderr


def test_run_refuses_arguments_that_do_not_fit(shell: Shell) -> None:
    done = shell.call("run", "app.py:checkout")
    assert done.returncode == ExitCode.USAGE
    assert "missing a required argument: 'order'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_run_goes_on_with_the_same_command(shell: Shell) -> None:
    effects = shell.folder / "effects"
    command = ("run", "app.py:count", "-i", "60", "--store", "file:app.db", "--id", "c")

    def numbers() -> list[int]:
        if not effects.exists():
            return []
        return [int(line.split()[1]) for line in effects.read_text().splitlines()]

    def has_reached(goal: int, process: subprocess.Popen[str]) -> bool:
        return len(numbers()) >= goal or process.poll() is not None

    for goal in (10, 25, 40):
        with running(shell.start(*command)) as process:
            wait_until(partial(has_reached, goal, process))
            assert process.poll() is None, process.communicate()[0]
    done = shell.call(*command)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout) == sum(range(60))
    assert set(numbers()) == set(range(60))
    assert len(numbers()) <= 60 + 3


@pytest.fixture
def served(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    shell.environment["PERDURE_STORE"] = "file:app.db"
    with running(shell.start("worker", "app.py")) as worker:
        read_until(worker, "serving .*app.db")
        yield worker


@pytest.mark.usefixtures("served")
def test_the_verbs_of_a_run_that_completes(shell: Shell) -> None:
    started = shell.call("workflow", "start", "checkout", "-i", '"ab"', "--id", "c1")
    assert stable(started.stdout) == "started c1 as run <run>\n"
    assert shell.json("workflow", "result", "c1")["result"] == {"order": "ab", "total": 200}
    assert stable(shell.call("workflow", "list").stdout) == (
        "WORKFLOW ID  TYPE  STATUS  STARTED  TOOK  EVENTS  RUN ID\n"
        "c1  checkout  completed  <time>  <took>  4  <run>\n"
    )
    assert stable(shell.call("workflow", "show", "c1").stdout) == (
        "  N  TIME  WHAT  DETAILS\n"
        '·  1  <clock>  run started  checkout, workflow_id "c1", arguments ["ab"]\n'
        '→  2  <clock>  schedule activity  price, arguments ["ab"]\n'
        "·  3  <clock>  activity completed  of 2, attempt 1, result 200\n"
        '→  4  <clock>  complete run  result {"order":"ab","total":200}\n'
    ).replace(",0]\n", "]\n")
    exported = shell.call("history", "export", "c1", "--file", "c1.jsonl")
    assert exported.stderr.endswith("lines to c1.jsonl\n")
    kinds = [json.loads(line) for line in (shell.folder / "c1.jsonl").read_text().splitlines()]
    assert [each["n"] for each in kinds if "n" in each] == [1, 2, 3, 4]
    closed = shell.call("workflow", "cancel", "c1")
    assert closed.returncode == ExitCode.FAILURE
    assert "is closed (completed)" in closed.stderr


@pytest.mark.usefixtures("served")
def test_describe_says_what_a_run_waits_for(shell: Shell) -> None:
    shell.json("workflow", "start", "failing", "-i", '"slowly"', "--id", "f1")

    def waits() -> bool:
        pending = shell.json("workflow", "describe", "f1")["pending_activities"]
        return bool(pending) and pending[0]["last_failure"] == "no funds"

    wait_until(waits)
    assert stable(shell.call("workflow", "describe", "f1").stdout).endswith(
        "Pending activities: 1\n"
        "ACTIVITY  ATTEMPT  PROGRESS  LAST FAILURE\n"
        "decline  1  next attempt at <clock>  no funds\n"
    )
    ended = shell.call("workflow", "terminate", "f1", "--reason", "enough")
    assert stable(ended.stdout) == "terminated: f1, run <run>\n"
    result = shell.call("workflow", "result", "f1")
    assert result.returncode == ExitCode.FAILURE
    assert stable(result.stderr) == "run <run> terminated\n  because of TerminatedError: enough\n"


@pytest.mark.usefixtures("served")
def test_a1_a2_a_start_says_what_becomes_of_other_runs_of_its_id(shell: Shell) -> None:
    first = shell.json("workflow", "start", "wait", "--id", "w1")
    same = shell.json(
        "workflow", "start", "wait", "--id", "w1", "--id-conflict-policy", "use_existing"
    )
    assert same == first
    other = shell.json(
        "workflow", "start", "wait", "--id", "w1", "--id-conflict-policy", "terminate_existing"
    )
    ended = shell.json("workflow", "describe", first["run_id"])
    assert (ended["status"], other["run_id"] == first["run_id"]) == ("terminated", False)
    shell.json("workflow", "terminate", "w1")
    reject = ("start", "wait", "--id", "w1", "--id-reuse-policy", "reject_duplicate")
    refused = shell.call("workflow", *reject)
    assert refused.returncode == ExitCode.FAILURE
    assert f"may not be used again after run {other['run_id']}" in refused.stderr
    contradicts = shell.call("workflow", *reject, "--id-conflict-policy", "terminate_existing")
    assert contradicts.returncode == ExitCode.USAGE
    assert "contradict" in contradicts.stderr


@pytest.mark.usefixtures("served")
def test_a_run_is_paused_and_goes_on(shell: Shell) -> None:
    shell.json("workflow", "start", "hears", "--id", "h1")
    done = shell.call("workflow", "pause", "h1", "--reason", "the bank is down")
    assert stable(done.stdout) == "paused: h1, run <run>\n"
    described = shell.call("workflow", "describe", "h1").stdout
    assert re.search(r"Status: +paused\n", described)
    assert re.search(r"Paused: +the bank is down\n", described)
    shell.json("workflow", "signal", "h1", "--name", "say", "-i", '"end"')
    assert [run["workflow_id"] for run in shell.json("workflow", "list", "--status", "paused")] == [
        "h1"
    ]
    assert stable(shell.call("workflow", "unpause", "h1").stdout) == "goes on: h1, run <run>\n"
    assert shell.json("workflow", "result", "h1")["result"] == ["end"]


def test_a_batch_tells_all_runs_of_a_query(shell: Shell, served: subprocess.Popen[str]) -> None:
    for number in range(3):
        shell.json("workflow", "start", "hears", "--id", f"h{number}")
    shell.json("workflow", "start", "wait", "--id", "other")
    which = ("--query", 'WorkflowType = "hears"')
    looked = shell.call("batch", "pause", *which, "--dry-run")
    assert looked.stderr == "3 runs (3 running)\n"
    assert len(looked.stdout.splitlines()) == 4
    unasked = shell.call("batch", "pause", *which)
    assert unasked.returncode == ExitCode.USAGE
    assert "give --yes" in unasked.stderr
    assert shell.answer(b"n\n", "batch", "pause", *which) == ExitCode.OK
    assert shell.json("workflow", "list", "--status", "paused") == []
    assert shell.answer(b"y\n", "batch", "pause", *which) == ExitCode.OK
    assert len(shell.json("workflow", "list", "--status", "paused")) == 3
    again = shell.call("batch", "pause", *which, "--yes")
    assert again.stderr == "no run that is parked, running is found\n"
    done = shell.json("batch", "unpause", *which, "--yes")
    expected: dict[str, Any] = {
        "runs": 3,
        "done": 3,
        "closed": 0,
        "failed": [],
        "interrupted": False,
    }
    assert done == expected
    # The worker does not answer, so that the interrupt comes in the middle.
    served.send_signal(signal.SIGSTOP)
    end = ("batch", "signal", *which, "--name", "say", "-i", '"end"', "--yes")
    with running(shell.start(*end)) as batch:
        read_until(batch, "h0")
        batch.send_signal(signal.SIGINT)
        assert batch.wait(SECONDS_MAX) == ExitCode.INTERRUPTED
        assert batch.stdout is not None
        said = batch.stdout.read()
    served.send_signal(signal.SIGCONT)
    assert "signal: 0 of 3 runs" in said
    assert "interrupted" in said
    assert shell.call(*end).returncode == ExitCode.OK
    for number in range(3):
        assert "end" in shell.json("workflow", "result", f"h{number}")["result"]
    assert shell.json("workflow", "describe", "other")["status"] == "running"


def test_a_batch_that_nobody_can_do_says_so(shell: Shell) -> None:
    store = ("--store", "file:app.db")
    with running(shell.start("worker", "app.py", *store)) as worker:
        read_until(worker, "serving .*app.db")
        shell.json("workflow", "start", "wait", "--id", "w1", *store)
    done = shell.call("batch", "cancel", "-q", 'WorkflowId = "w1"', "--yes", *store)
    assert done.returncode == ExitCode.NO_WORKER
    assert "no worker serves" in done.stderr
    wrong = shell.call("batch", "cancel", "-q", "WorkflowId = ", "--yes", *store)
    assert wrong.returncode == ExitCode.FAILURE


@pytest.mark.usefixtures("served")
def test_a_run_is_reset_and_forked_and_says_where_it_came_from(shell: Shell) -> None:
    first = shell.json("workflow", "start", "failing", "-i", '"bad"', "--id", "f1")
    assert shell.call("workflow", "result", "f1").returncode == ExitCode.FAILURE
    refused = shell.call("workflow", "reset", "f1", "--event", "2")
    assert refused.returncode == ExitCode.FAILURE
    assert "choose event 3" in refused.stderr
    wrong = shell.call("workflow", "reset", "f1", "--first", "--set-result", "seven")
    assert wrong.returncode == ExitCode.USAGE
    given = ("--last-failure", "--set-result", "2=7", "--reason", "paid by hand")
    again = shell.json("workflow", "reset", "f1", *given)
    assert again["from_run_id"] == first["run_id"]
    assert shell.json("workflow", "result", "f1")["result"] == 7
    shown = stable(shell.call("workflow", "describe", "f1").stdout)
    assert "Copied:  reset of run <run> at event 3 (paid by hand)\n" in shown
    assert "run reset" in shell.call("workflow", "show", "f1").stdout
    fork = shell.json("workflow", "fork", "f1", "--id", "f2", "--first", "--set-result", "2=8")
    assert fork["workflow_id"] == "f2"
    assert shell.json("workflow", "result", "f2")["result"] == 8
    provenance = shell.json("workflow", "describe", "f2")["provenance"]
    assert (provenance["how"], provenance["event"]) == ("fork", 3)


@pytest.mark.usefixtures("served")
def test_a_run_is_cancelled_and_a_parked_one_tried_again(shell: Shell) -> None:
    shell.json("workflow", "start", "wait", "--id", "w1")
    shell.json("workflow", "cancel", "w1")
    done = shell.call("workflow", "result", "w1", "-o", "json")
    assert done.returncode == ExitCode.FAILURE
    assert json.loads(done.stdout)["status"] == "cancelled"
    shell.json("workflow", "start", "buggy", "--id", "b1")
    assert shell.call("workflow", "result", "b1").returncode == ExitCode.FAILURE
    parked = shell.json("workflow", "list", "--status", "parked")
    assert [run["workflow_id"] for run in parked] == ["b1"]
    assert shell.call("workflow", "unpark", "b1").returncode == ExitCode.OK


@pytest.mark.usefixtures("served")
def test_what_is_not_there_has_its_own_exit_code(shell: Shell) -> None:
    for verb in ("describe", "show", "result", "cancel", "terminate", "unpark"):
        done = shell.call("workflow", verb, "nobody")
        assert done.returncode == ExitCode.NOT_FOUND
        assert re.fullmatch(r"error: there is no run of 'nobody' in .*\n", done.stderr)


def test_without_a_worker_a_start_is_kept_for_the_next_one(shell: Shell) -> None:
    store = ("--store", "file:app.db")
    done = shell.call("workflow", "start", "checkout", "-i", '"ab"', "--id", "c1", *store)
    assert done.returncode == ExitCode.NO_WORKER
    assert "the message is kept" in done.stderr
    with running(shell.start("worker", "app.py", *store)) as worker:
        read_until(worker, "serving")
        wait_until(lambda: bool(shell.json("workflow", "list", *store)))
        assert shell.json("workflow", "result", "c1", *store)["result"]["total"] == 200


def test_a_standby_takes_over_when_the_owner_is_killed(
    shell: Shell, served: subprocess.Popen[str]
) -> None:
    with running(shell.start("worker", "app.py")) as standby:
        read_until(standby, "standby: another process owns")
        served.kill()
        read_until(standby, "serving .*app.db")
        started = shell.json("workflow", "start", "checkout", "-i", '"ab"', "--id", "c2")
        outcome = shell.json("workflow", "result", started["run_id"])
        assert outcome["result"]["total"] == 200
        standby.send_signal(signal.SIGTERM)
        assert "stopped" in read_until(standby, "stopped")
        assert standby.wait(SECONDS_MAX) == ExitCode.OK


FOREIGN = [name for name in ("node", "perl", "go") if shutil.which(name)]


@pytest.mark.parametrize("language", FOREIGN)
def test_the_demo_loses_nothing(language: str, shell: Shell) -> None:
    summary = shell.json("demo", "--language", language, "--step-ms", "100")
    assert summary["nothing_lost"] is True
    assert summary["steps"] == 10
    # The kill is aimed at the fifth step; a busy machine may hit a later one, or fall between.
    assert 4 <= summary["recorded_before_kill"] <= 10
    assert len(summary["ran_again"]) <= 1
    assert summary["attempts"] == 10 + len(summary["ran_again"])
    assert summary["result"][0] == "Hello, Ada! Your badge: Ada-99a563"


def test_the_demo_works_where_there_is_no_other_language(shell: Shell) -> None:
    shell.environment["PATH"] = "/nowhere"
    done = shell.call("demo", "--step-ms", "100")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "none of node, perl and go was found" in done.stdout
    assert "Nothing was lost." in done.stdout
    refused = shell.call("demo", "--language", "perl")
    assert refused.returncode == ExitCode.USAGE
    assert refused.stderr == "error: perl was not found on the PATH\n"


def test_dev_starts_again_what_ends(shell: Shell) -> None:
    (shell.folder / "perdure.toml").write_text(
        'store = "file:app.db"\nmodules = ["app.py"]\n[nats]\n'
        '[services.echo]\ncommand = ["sh", "-c", "echo at $PERDURE_NATS_URL; exec sleep 60"]\n'
    )
    with running(shell.start("dev")) as dev:
        seen = read_until(dev, "engine .* serving")
        if "at nats://127.0.0.1:" not in seen:
            seen += read_until(dev, "at nats://127.0.0.1:")
        first = {
            name: int(process)
            for name, process in re.findall(
                r"^(\w+) +\| started, process (\d+)", seen, re.MULTILINE
            )
        }
        assert set(first) == {"engine", "echo"}
        os.kill(first["echo"], signal.SIGKILL)
        read_until(dev, r"echo +\| ended with SIGKILL: it is started again")
        read_until(dev, r"echo +\| started")
        os.kill(first["engine"], signal.SIGKILL)
        read_until(dev, r"engine +\| .* serving")
        dev.send_signal(signal.SIGINT)
        read_until(dev, "engine .* stopped")
        assert dev.wait(SECONDS_MAX) == ExitCode.OK


def test_doctor_finds_a_sound_store_and_a_damaged_one(shell: Shell) -> None:
    store = ("--store", "file:app.db")
    shell.json("run", "app.py:checkout", "-i", '"ab"', *store)
    sound = {each["check"]: each for each in shell.json("doctor", *store)}
    assert sound["integrity"]["details"] == "1 histories, 4 events, every checksum is right"
    assert sound["owner"]["details"] == "nobody serves it"
    assert sound["disk sync"]["status"] in {"ok", "warning"}
    (shell.folder / "app.db").write_bytes(b"no store at all, but long enough to be looked at" * 99)
    done = shell.call("doctor", *store, "-o", "json")
    assert done.returncode == ExitCode.FAILURE
    damaged = {each["check"]: each for each in json.loads(done.stdout)}
    assert damaged["store"]["status"] == "failed"
