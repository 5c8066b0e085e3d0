"""One thing done to many runs: they are listed first, and each is told once."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._failures import failure_lines
from perdure.cli._options import add_output, add_store, connect
from perdure.cli._output import STATUS_COLORS, notice, print_json, print_table, time_text
from perdure.cli._progress import Progress
from perdure.client import Client, WorkflowDescription, WorkflowHandle
from perdure.errors import EncodeError, NotFoundError, PerdureError, RunClosedError

__all__ = ["Batch", "add_batch", "execute"]

AT_ONCE = 16
"""How many runs are told at the same time."""
SHOWN_MAX = 20
"""How many runs, and how many failures, are shown to people."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is done."""

    verb: str
    """Its name."""
    statuses: frozenset[str]
    """The statuses of the runs that it is for."""


@dataclass(slots=True)
class Outcome:
    """What came of it, run by run."""

    runs: int
    """How many there were."""
    done: int = 0
    closed: int = 0
    """How many had closed meanwhile."""
    failed: list[tuple[WorkflowDescription, str]] = field(
        default_factory=list[tuple[WorkflowDescription, str]]
    )
    interrupted: bool = False

    def code(self) -> ExitCode:
        """The exit code."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.FAILURE if self.failed else ExitCode.OK


def add_batch(parser: argparse.ArgumentParser) -> None:
    """Which runs, and whether to ask."""
    parser.add_argument(
        "-q",
        "--query",
        required=True,
        metavar="QUERY",
        help="the runs of which this holds, such as 'WorkflowType = \"checkout\"'",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask first")
    parser.add_argument("--dry-run", action="store_true", help="only show which runs they are")
    add_store(parser)
    add_output(parser)


async def execute(
    batch: Batch,
    send: Callable[[WorkflowHandle[Any]], Awaitable[None]],
    options: argparse.Namespace,
) -> ExitCode:
    """Lists the runs, asks, and tells each of them."""
    client = await connect(options)
    runs = [
        run async for run in client.list_workflows(options.query) if run.status in batch.statuses
    ]
    as_json = options.output == "json"
    if options.dry_run or not runs:
        if as_json:
            print_json({"runs": [_fields(run) for run in runs]})
        else:
            _show(batch, runs)
        return ExitCode.OK
    if not as_json or not options.yes:
        _show(batch, runs, to_people=as_json)
    if not options.yes and not await _agreed(batch, len(runs)):
        notice("nothing was done")
        return ExitCode.OK
    if client.owner_process() is None:
        raise CommandError(
            f"no worker serves {client.path}: start one, and try again", ExitCode.NO_WORKER
        )
    outcome = await _tell_all(client, batch, send, runs)
    _report(batch, outcome, as_json=as_json)
    return outcome.code()


async def _tell_all(
    client: Client,
    batch: Batch,
    send: Callable[[WorkflowHandle[Any]], Awaitable[None]],
    runs: Sequence[WorkflowDescription],
) -> Outcome:
    outcome = Outcome(len(runs))
    left = iter(runs)

    async def tell_those_left() -> None:
        for run in left:
            handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            try:
                await send(handle)
            except EncodeError:
                raise
            except (RunClosedError, NotFoundError):
                outcome.closed += 1
            except PerdureError as error:
                outcome.failed.append((run, "; ".join(failure_lines(error))))
            else:
                outcome.done += 1
            progress.step()

    with Progress(batch.verb, len(runs)) as progress:
        telling = asyncio.gather(*(tell_those_left() for _ in range(AT_ONCE)))
        try:
            await telling
        except asyncio.CancelledError:
            # An interrupt: what was done is said, and the rest is left.
            outcome.interrupted = True
    return outcome


def _report(batch: Batch, outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        failed = [{**_fields(run), "error": why} for run, why in outcome.failed]
        print_json(
            {
                "runs": outcome.runs,
                "done": outcome.done,
                "closed": outcome.closed,
                "failed": failed,
                "interrupted": outcome.interrupted,
            }
        )
    else:
        parts = [f"{batch.verb}: {outcome.done} of {outcome.runs} runs"]
        if outcome.closed:
            parts.append(f"{outcome.closed} closed meanwhile")
        if outcome.failed:
            parts.append(f"{len(outcome.failed)} failed")
        print(", ".join(parts))
        for run, why in outcome.failed[:SHOWN_MAX]:
            notice(f"failed: {run.workflow_id}, run {run.run_id}: {why}")
        if len(outcome.failed) > SHOWN_MAX:
            notice(f"and {len(outcome.failed) - SHOWN_MAX} more: -o json has all")
    if outcome.interrupted:
        notice("interrupted: the same command again finds the runs that are left")


def _show(batch: Batch, runs: Sequence[WorkflowDescription], *, to_people: bool = False) -> None:
    counts = Counter(run.status for run in runs)
    about = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    wanted = ", ".join(sorted(batch.statuses))
    notice(f"{len(runs)} runs ({about})" if runs else f"no run that is {wanted} is found")
    if not runs or to_people:
        return
    rows = [
        (run.workflow_id, run.workflow_type, run.status, time_text(run.start_time), run.run_id)
        for run in runs[:SHOWN_MAX]
    ]
    print_table(("workflow id", "type", "status", "started", "run id"), rows, colors=STATUS_COLORS)
    sys.stdout.flush()
    if len(runs) > SHOWN_MAX:
        notice(f"and {len(runs) - SHOWN_MAX} more")


def _fields(run: WorkflowDescription) -> dict[str, str]:
    return {"workflow_id": run.workflow_id, "run_id": run.run_id, "status": run.status}


async def _agreed(batch: Batch, count: int) -> bool:
    """Whether the person at the terminal says yes.

    Raises:
        CommandError: There is nobody.
    """
    if not sys.stdin.isatty():
        raise CommandError("nobody can be asked here: give --yes, or --dry-run to look first")
    sys.stderr.write(f"{batch.verb} {count} runs? [y/N] ")
    sys.stderr.flush()
    # Reading here and now would keep an interrupt from being heard.
    typed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
