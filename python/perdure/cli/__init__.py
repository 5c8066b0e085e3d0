"""The command line: `perdure` on the path, or `python -m perdure.cli`."""

from perdure.cli._front import main

__all__ = ["main"]
