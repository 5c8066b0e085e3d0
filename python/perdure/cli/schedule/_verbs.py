"""The verbs of `perdure schedule`."""

from perdure.cli._options import Commands
from perdure.cli.schedule import _create, _list, _tell

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    parser = commands.add_parser(
        "schedule",
        help="start runs at given times",
        description="Start runs at given times.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in (_create, _list, _tell):
        verb.add(verbs)
