"""`make demo KILL=1`: kills processes at random points, and proves that nothing was lost.

The tree is audited twice, first undisturbed. The second time the engine and the Go service are
killed with SIGKILL at points that a seed chooses, and started again. Both reports must be the same.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from examples.code_audit.activities import (
    analyze_go,
    analyze_python,
    analyze_typescript,
    list_files,
)
from examples.code_audit.progress import Progress
from examples.code_audit.services import Child, ServiceError, Services
from examples.code_audit.session import Session
from examples.code_audit.witness import WitnessReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

POLL_INTERVAL_S = 0.01
DRAW_INTERVAL_S = 0.1
LONGEST_DELAY_S = 0.05
"""A kill comes up to this long after its attempt began, so that it hits other moments too."""

REPORTS = ("report.json", "report.html")
ANALYZERS = {each.reference.name for each in (analyze_go, analyze_python, analyze_typescript)}


@dataclass(frozen=True)
class Kill:
    """One planned kill: which process, after how many attempts of all workers, how much later."""

    target: str
    after_attempts: int
    delay_s: float


@dataclass(frozen=True)
class Outcome:
    """What one audit left behind."""

    digests: tuple[str, ...]
    attempts: int
    """Attempts at files that really began, by the workers' own log."""
    again: int
    """How many of them were not the first at their file."""
    results: int
    """Activities with a result in the history."""
    doubled: int
    """Activities with more than one: always 0."""
    too_late: tuple[str, ...]
    """Files at which an attempt began although their result was recorded: always none."""
    lost: int
    """Attempts that the history records as lost or failed, each followed by another."""


def plan_kills(seed: int, kills: int, files: int) -> list[Kill]:
    """The kills of a seed in their order; half of them hit the engine, half the Go service."""
    chance = random.Random(seed)
    targets = [("engine", "go")[number % 2] for number in range(kills)]
    chance.shuffle(targets)
    points = sorted(chance.randrange(max(files, 1)) for _ in targets)
    return [
        Kill(target, point, chance.uniform(0, LONGEST_DELAY_S))
        for target, point in zip(targets, points, strict=True)
    ]


def prove(root: Path, seed: int, kills: int) -> int:
    """Audits a tree undisturbed and under fire; the exit code is 0 if the reports are the same."""
    paths = list_files.fn(str(root)).paths
    print(f"Auditing {root} twice: {len(paths):,} files, {kills} kills, seed {seed}\n")
    print("Undisturbed:")
    calm = _audit(Session.of(root, "-undisturbed"), paths, [])
    print(
        f"\nWith {kills} kills (a killed service's last tasks count as lost after 15 s of silence):"
    )
    killed = _audit(Session.of(root, "-killed"), paths, plan_kills(seed, kills, len(paths)))
    return _compare(calm, killed, seed)


def _audit(session: Session, paths: Sequence[str], plan: list[Kill]) -> Outcome:
    session.clear()
    witness = WitnessReader(session.witness)
    progress = Progress(paths, witness)
    with Services(session.folder, session.witness) as services:
        engine = _engine(session, services)
        engine.start()
        try:
            _watch(engine, services, plan.copy(), progress, witness)
        finally:
            engine.kill()
    progress.finish()
    return _outcome(session, witness)


def _outcome(session: Session, witness: WitnessReader) -> Outcome:
    digests = (hashlib.sha256((session.folder / name).read_bytes()) for name in REPORTS)
    results: Counter[int] = Counter()
    recorded_us: dict[str, int] = {}
    paths: dict[int, str] = {}
    lost = 0
    for line in session.history.read_text().splitlines():
        record = json.loads(line)
        event = record.get("event", {})
        match event.get("kind"):
            case "activity_completed" | "activity_failed":
                results[event["command_n"]] += 1
                if event["command_n"] in paths:
                    recorded_us[paths[event["command_n"]]] = record["at_us"]
            case "activity_attempt_failed":
                lost += 1
            case _:
                paths |= _scheduled(record)
    begun_us = witness.begun_last_us
    return Outcome(
        digests=tuple(each.hexdigest() for each in digests),
        attempts=witness.attempts,
        again=witness.again,
        results=len(results),
        doubled=sum(count > 1 for count in results.values()),
        too_late=tuple(path for path, at in recorded_us.items() if begun_us.get(path, 0) > at),
        lost=lost,
    )


def _scheduled(record: dict[str, Any]) -> dict[int, str]:
    """The file that a scheduled activity measures, by the number of its command."""
    command = record.get("command", {})
    if command.get("kind") != "schedule_activity" or command["name"] not in ANALYZERS:
        return {}
    _root, path = command["arguments"]["value"]
    return {record["n"]: path}


def _engine(session: Session, services: Services) -> Child:
    module = "examples.code_audit.engine"
    command = [sys.executable, "-m", module, str(session.root), str(session.folder)]
    return Child("engine", command, services.environment, session.folder / "engine.log")


def _watch(
    engine: Child, services: Services, plan: list[Kill], progress: Progress, witness: WitnessReader
) -> None:
    """Waits for the engine to finish, and kills what the plan says when the plan says it."""
    drawn_at = 0.0
    while not engine.has_ended:
        if plan and witness.attempts >= plan[0].after_attempts:
            kill = plan.pop(0)
            target = engine if kill.target == "engine" else services.go
            time.sleep(kill.delay_s)
            progress.say(f"  kill -9 {target.name} after {witness.attempts:,} attempts")
            target.kill()
            target.start()
        if time.monotonic() - drawn_at >= DRAW_INTERVAL_S:
            drawn_at = time.monotonic()
            progress.draw()
            services.check()
        witness.read()
        time.sleep(POLL_INTERVAL_S)
    if engine.exit_code != 0:
        raise ServiceError(f"the engine ended with code {engine.exit_code}: see {engine.log}")


def _compare(calm: Outcome, killed: Outcome, seed: int) -> int:
    rows: list[tuple[str, Callable[[Outcome], object]]] = [
        ("report.json, SHA-256", lambda outcome: outcome.digests[0][:12]),
        ("report.html, SHA-256", lambda outcome: outcome.digests[1][:12]),
        ("activities with a result, by the history", lambda outcome: outcome.results),
        ("… with more than one result", lambda outcome: outcome.doubled),
        ("attempts lost, by the history", lambda outcome: outcome.lost),
        ("attempts begun, by the workers' log", lambda outcome: outcome.attempts),
        ("… that ran again", lambda outcome: outcome.again),
        ("… whose result was recorded before", lambda outcome: len(outcome.too_late)),
    ]
    print(f"\n{'':<44}{'undisturbed':>14}{'killed':>14}")
    for name, value in rows:
        print(f"  {name:<42}{value(calm)!s:>14}{value(killed)!s:>14}")
    same = calm.digests == killed.digests and calm.results == killed.results
    if not same or calm.doubled or killed.doubled:
        print(f"\nThe two audits differ. Seed {seed} shows it again.", file=sys.stderr)
        return 1
    if calm.too_late or killed.too_late:
        files = ", ".join((*calm.too_late, *killed.too_late)[:10])
        print(f"\nBegun after their result was recorded: {files}; seed {seed}.", file=sys.stderr)
        return 1
    print(
        f"\nThe reports are identical to the byte: nothing was lost, nothing counted twice.\n"
        f"{killed.again:,} attempts ran again, because a kill came before their result was "
        f"recorded.\nNo activity with a recorded result ran again. Seed {seed}."
    )
    return 0
