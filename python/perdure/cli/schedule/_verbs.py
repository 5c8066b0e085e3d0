"""The verbs of `perdure schedule`."""

from perdure.cli._options import Commands, add_group
from perdure.cli.schedule import _create, _list, _tell

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "schedule", "start runs at given times")
    for verb in (_create, _list, _tell):
        verb.add(verbs)
