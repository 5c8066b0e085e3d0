"""Runs the parts, each in a process of its own, and gathers what they print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benches.end_to_end.figures import ROOT
from benches.plan import Part, is_better

__all__ = ["Outcome", "run_parts"]

_PART_SECONDS_MAX = 240


@dataclass
class Outcome:
    """What was measured, and why the rest was not."""

    figures: dict[str, float] = field(default_factory=dict[str, float])
    pinned: dict[str, bool] = field(default_factory=dict[str, bool])
    """Whether the figure kept was measured on one processor."""
    missing: dict[str, str] = field(default_factory=dict[str, str])


def run_parts(parts: Sequence[Part], *, fast: bool, seed: int) -> Outcome:
    """Runs each part unpinned and, where that can differ, pinned; keeps the better figures."""
    outcome = Outcome()
    for part in parts:
        if fast and part.only_whole:
            outcome.missing |= dict.fromkeys(part.names, "left out by --fast")
            continue
        for pinned in (False, True) if part.pinned and _can_pin() else (False,):
            print(f"… {' '.join(part.command)}{' pinned' if pinned else ''}", file=sys.stderr)
            figures, fault = _run(part, pinned=pinned, fast=fast, seed=seed)
            for name, value in figures.items():
                if name not in outcome.figures or is_better(name, value, outcome.figures[name]):
                    outcome.figures[name] = value
                    outcome.pinned[name] = pinned
            for name in part.names:
                if name not in outcome.figures:
                    outcome.missing[name] = fault or "the part did not report it"
                else:
                    outcome.missing.pop(name, None)
    return outcome


def _can_pin() -> bool:
    return shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1


def _run(part: Part, *, pinned: bool, fast: bool, seed: int) -> tuple[dict[str, float], str]:
    command = list(part.command)
    if command[0].startswith("benches."):
        command = [sys.executable, "-m", *command, "--seed", str(seed)]
        command += ["--fast"] if fast else []
    if pinned:
        command = ["taskset", "-c", "1", *command]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_PART_SECONDS_MAX,
            check=False,
        )
        output, errors, status = done.stdout, done.stderr, done.returncode
    except FileNotFoundError:
        return {}, f"{command[0]} is not installed"
    except subprocess.TimeoutExpired as late:
        partial = late.stdout or b""
        output = partial.decode()
        errors, status = f"not done after {_PART_SECONDS_MAX} s", 1
    words = [line.split() for line in output.splitlines()]
    figures = {each[1]: float(each[2]) for each in words if len(each) == 3 and each[0] == "figure"}
    last_line = (errors.strip().splitlines() or [f"status {status}"])[-1]
    return figures, last_line if status else ""
