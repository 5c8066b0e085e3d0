"""`perdure activity …`: one file a verb."""

from perdure.cli.activity._verbs import add

__all__ = ["add"]
