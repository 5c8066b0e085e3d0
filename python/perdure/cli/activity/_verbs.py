"""The verbs of `perdure activity`."""

from perdure.cli._options import Commands
from perdure.cli.activity import _complete, _fail

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    parser = commands.add_parser(
        "activity",
        help="complete activities that complete asynchronously",
        description="Complete activities that complete asynchronously.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in (_complete, _fail):
        verb.add(verbs)
