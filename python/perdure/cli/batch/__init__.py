"""`perdure batch`: one verb for many runs."""

from perdure.cli.batch._verbs import add

__all__ = ["add"]
