"""`make demo KILL=1`: kills processes at random points, and proves that nothing was lost.

The tree is audited twice, first undisturbed. The second time the engine and the Go service are
killed with SIGKILL at points that a seed chooses, and started again. Both reports must be the same.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.code_audit.activities import list_files
from examples.code_audit.progress import Progress
from examples.code_audit.services import Child, ServiceError, Services
from examples.code_audit.session import Session
from examples.code_audit.witness import WitnessReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POLL_INTERVAL_S = 0.01
DRAW_INTERVAL_S = 0.1
LONGEST_DELAY_S = 0.05
"""A kill comes up to this long after its attempt began, so that it hits other moments too."""

REPORTS = ("report.json", "report.html")


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
    again: int


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
    print(f"\nWith {kills} kills:")
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
            _watch(engine, services.go, plan.copy(), progress, witness)
        finally:
            engine.kill()
    progress.finish()
    digests = (hashlib.sha256((session.folder / name).read_bytes()) for name in REPORTS)
    return Outcome(tuple(each.hexdigest() for each in digests), witness.attempts, witness.again)


def _engine(session: Session, services: Services) -> Child:
    module = "examples.code_audit.engine"
    command = [sys.executable, "-m", module, str(session.root), str(session.folder)]
    return Child("engine", command, services.environment, session.folder / "engine.log")


def _watch(
    engine: Child, go: Child, plan: list[Kill], progress: Progress, witness: WitnessReader
) -> None:
    """Waits for the engine to finish, and kills what the plan says when the plan says it."""
    drawn_at = 0.0
    while not engine.has_ended:
        if plan and witness.attempts >= plan[0].after_attempts:
            kill = plan.pop(0)
            target = engine if kill.target == "engine" else go
            time.sleep(kill.delay_s)
            progress.say(f"  kill -9 {target.name} after {witness.attempts:,} attempts")
            target.kill()
            target.start()
        if time.monotonic() - drawn_at >= DRAW_INTERVAL_S:
            drawn_at = time.monotonic()
            progress.draw()
        witness.read()
        time.sleep(POLL_INTERVAL_S)
    if engine.exit_code != 0:
        raise ServiceError(f"the engine ended with code {engine.exit_code}: see {engine.log}")


def _compare(calm: Outcome, killed: Outcome, seed: int) -> int:
    print(f"\n{'':<14}{'attempts':>10}{'ran again':>11}   SHA-256 of the reports")
    for name, outcome in (("undisturbed", calm), ("killed", killed)):
        digests = "  ".join(
            f"{file} {digest[:16]}…" for file, digest in zip(REPORTS, outcome.digests, strict=True)
        )
        print(f"  {name:<12}{outcome.attempts:>10,}{outcome.again:>11,}   {digests}")
    if calm.digests != killed.digests:
        print(f"\nThe reports differ. Seed {seed} shows it again.", file=sys.stderr)
        return 1
    print("\nThe reports are identical to the byte: nothing was lost, nothing counted twice.")
    return 0
