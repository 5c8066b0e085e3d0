"""`perdure workflow …`: one file a verb."""

from perdure.cli.workflow._verbs import add

__all__ = ["add"]
