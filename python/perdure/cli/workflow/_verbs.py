"""The verbs of `perdure workflow`."""

from perdure.cli._options import Commands, add_group
from perdure.cli.workflow import (
    _describe,
    _end,
    _list,
    _patches,
    _pause,
    _query,
    _reset,
    _result,
    _show,
    _signal,
    _signal_with_start,
    _start,
    _unpark,
    _update,
    _update_options,
)

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "workflow", "look at runs, start and end them")
    for verb in (
        _list,
        _describe,
        _show,
        _result,
        _start,
        _signal_with_start,
        _signal,
        _update,
        _update_options,
        _query,
        _end,
        _reset,
        _pause,
        _unpark,
        _patches,
    ):
        verb.add(verbs)
