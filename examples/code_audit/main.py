"""`make demo`: audits a tree, and shows how far it is."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from examples.code_audit.activities import list_files
from examples.code_audit.kill import prove
from examples.code_audit.progress import Progress
from examples.code_audit.services import ServiceError, Services
from examples.code_audit.session import Session
from examples.code_audit.witness import WitnessReader
from perdure.errors import PerdureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.code_audit.records import AuditSummary

DEFAULT_ROOT = Path(__file__).parents[2]
DRAW_INTERVAL_S = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; the exit code is 0 if there is a report."""
    options = _parser().parse_args(arguments)
    root = options.repo.expanduser().resolve()
    if not root.is_dir():
        print(f"{root} is no folder: give one with REPO=…", file=sys.stderr)
        return 2
    session = Session.of(root)
    try:
        if options.kill:
            return prove(root, options.seed, options.kills)
        return asyncio.run(_audit(session))
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    except PerdureError as error:
        print(f"{error}\nTo begin anew: rm -r {session.folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from the last recorded step.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.code_audit", description=__doc__)
    parser.add_argument("--repo", type=Path, default=DEFAULT_ROOT, help="the tree to audit")
    parser.add_argument("--kill", action="store_true", help="kill processes, and compare reports")
    parser.add_argument("--kills", type=int, default=8, help="how many processes to kill")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    return parser


async def _audit(session: Session) -> int:
    if session.was_interrupted:
        print("An audit of this tree was interrupted: it goes on from the last recorded step.")
    else:
        session.clear()
    paths = (await list_files(str(session.root))).paths
    print(f"Auditing {session.root}: {len(paths):,} files\n")
    witness = WitnessReader(session.witness)
    progress = Progress(paths, witness)
    with Services(session.folder, session.witness) as services:
        os.environ.update(services.environment)
        summary = await _watch(asyncio.create_task(session.run()), progress, services)
    progress.finish()
    _show(summary, session.root)
    return 0


async def _watch(
    running: asyncio.Task[AuditSummary], progress: Progress, services: Services
) -> AuditSummary:
    while not running.done():
        await asyncio.wait([running], timeout=DRAW_INTERVAL_S)
        progress.draw()
        services.check()
    return running.result()


def _show(summary: AuditSummary, root: Path) -> None:
    print(
        f"\n{summary.functions:,} functions in {summary.files:,} files, {summary.lines:,} lines; "
        f"{summary.errors:,} files could not be measured.\n"
        f"  {summary.report_html}\n"
        f"  {summary.report_json}"
    )
    if root == DEFAULT_ROOT:
        print("\nA larger tree: make demo REPO=$(go env GOROOT)    With kill -9: make demo KILL=1")
