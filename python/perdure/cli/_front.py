"""The front: one parser over all commands, and what their errors mean."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import os
import sys
from collections.abc import Sequence

from perdure.cli import (
    activity,
    batch,
    demo,
    deployment,
    dev,
    doctor,
    history,
    lint,
    replay,
    run,
    schedule,
    task_queue,
    test,
    worker,
    workflow,
)
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._failures import failure_lines
from perdure.cli._output import Style, notice
from perdure.cli._versions import perdure_version
from perdure.errors import (
    AsyncActivityNotFoundError,
    NotFoundError,
    NoWorkerError,
    PerdureError,
)

__all__ = ["main"]

_EPILOG = """\
exit codes: 0 fine, 1 the run failed, 2 wrong usage, 3 not found, 4 nobody serves the store

A first look:  perdure demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name; the process's own by default."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    options = parser.parse_args(_nouns(given))
    try:
        ended = options.execute(options)
        code = asyncio.run(ended) if inspect.iscoroutine(ended) else ended
        sys.stdout.flush()
    except CommandError as error:
        return _say(error, error.code)
    except (NotFoundError, AsyncActivityNotFoundError) as error:
        return _say(error, ExitCode.NOT_FOUND)
    except NoWorkerError as error:
        return _say(error, ExitCode.NO_WORKER)
    except PerdureError as error:
        return _say(error, ExitCode.FAILURE)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read the output has gone; the interpreter would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    return int(code)


def _nouns(given: Sequence[str]) -> list[str]:
    """Two words that name one group of commands, as one."""
    words = deployment.NAME.split()
    return [deployment.NAME, *given[2:]] if given[:2] == words else [*given]


def _say(error: Exception, code: ExitCode) -> int:
    word = Style(sys.stderr).paint("error:", "red")
    lines = list(failure_lines(error)) if isinstance(error, PerdureError) else [str(error)]
    notice(f"{word} {lines[0]}")
    for line in lines[1:]:
        notice(line)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perdure",
        description="Durable execution: ordinary code that survives any crash.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"perdure {perdure_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        *(demo, run, worker, dev, workflow, batch, activity, schedule, task_queue),
        deployment,
        *(history, replay, test, lint, doctor),
    ):
        command.add(commands)
    return parser
