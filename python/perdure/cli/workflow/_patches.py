"""`perdure workflow patches`."""

from __future__ import annotations

import argparse
import dataclasses

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_output, add_store, connect
from perdure.cli._output import notice, print_json, print_table

__all__ = ["add"]

_TEXT = """
needed: open runs have no marker; they took the old branch, or have not come to it yet.
safe to deprecate: all open runs took the new branch; put workflow.deprecate_patch there.
safe to remove: no open run would miss the call.
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "patches", "say which open runs still need a patch", execute, text=_TEXT
    )
    parser.add_argument(
        "ids", metavar="PATCH", nargs="*", help="only these; all that open runs know by default"
    )
    parser.add_argument("--type", metavar="NAME", help="only this workflow type")
    add_store(parser)
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    client = await connect(options)
    found = await client.patches(*options.ids, workflow_type=options.type)
    if options.output == "json":
        print_json([{**dataclasses.asdict(each), "verdict": each.verdict.value} for each in found])
    elif not found:
        notice(f"no open run in {client.path} has recorded a patch")
    else:
        titles = ("patch", "type", "patched", "deprecated", "without", "verdict")
        print_table(
            titles,
            [
                (
                    each.id,
                    each.workflow_type,
                    str(each.patched),
                    str(each.deprecated),
                    str(each.without),
                    each.verdict.value,
                )
                for each in found
            ],
        )
    return ExitCode.OK
