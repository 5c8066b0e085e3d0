"""`python -m benches [--fast] [--seed N]`: the table, and `benches/results/latest.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benches.end_to_end.figures import ROOT
from benches.plan import GOALS, PARTS
from benches.run import Outcome, run_parts

_RESULTS = ROOT / "benches" / "results" / "latest.json"


def main() -> None:
    """Measures, prints, and keeps."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="under a minute, and less exact")
    parser.add_argument("--seed", type=int, default=1, help="1 by default")
    parser.add_argument("--only", default="", help="only parts whose command holds this text")
    options = parser.parse_args()
    chosen = [part for part in PARTS if options.only in " ".join(part.command)]
    outcome = run_parts(chosen, fast=options.fast, seed=options.seed)
    print_table(outcome)
    if options.only:
        return
    _RESULTS.parent.mkdir(exist_ok=True)
    kept: dict[str, Any] = {
        "figures": outcome.figures,
        "pinned": sorted(name for name, pinned in outcome.pinned.items() if pinned),
        "not_measured": outcome.missing,
        "machine": machine(),
        "commit": commit(),
        "seed": options.seed,
        "fast": options.fast,
    }
    _RESULTS.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    print(f"\n{_RESULTS.relative_to(ROOT)}")


def print_table(outcome: Outcome) -> None:
    """One line a figure: its value, where it was measured, its goal, and whether it is reached."""
    print(f"\n{'figure':42} {'value':>14}  {'on':8} {'goal':38} reached")
    for name, value in outcome.figures.items():
        goal = GOALS.get(name)
        text, verdict = "", ""
        if goal is not None:
            text = goal.text
            try:
                verdict = "yes" if goal.reached(value, outcome.figures) else "NO"
            except KeyError:
                verdict = "?"
        where = "pinned" if outcome.pinned[name] else "all"
        print(f"{name:42} {readable(value):>14}  {where:8} {text:38} {verdict}")
    for name, reason in outcome.missing.items():
        print(f"{name:42} {'–':>14}  not measured: {reason}")


def readable(value: float) -> str:
    """Whole numbers from a hundred on, three significant digits below."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    processor = platform.processor()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [line for line in about.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(": ")[2] if names else processor
    return {
        "processor": processor,
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def commit() -> str:
    """The commit measured, marked when the tree had changes."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


if __name__ == "__main__":
    main()
