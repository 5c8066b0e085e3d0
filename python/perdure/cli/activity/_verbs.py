"""The verbs of `perdure activity`."""

from perdure.cli._options import Commands, add_group
from perdure.cli.activity import _complete, _fail

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "activity", "complete activities that complete asynchronously")
    for verb in (_complete, _fail):
        verb.add(verbs)
