"""`perdure demo`: a small tour through a crash and a recovery."""

from perdure.cli.demo._command import add

__all__ = ["add"]
