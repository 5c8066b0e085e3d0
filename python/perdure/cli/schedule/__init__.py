"""`perdure schedule …`: what is started at given times."""

from perdure.cli.schedule._verbs import add

__all__ = ["add"]
