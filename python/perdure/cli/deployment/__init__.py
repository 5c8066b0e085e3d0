"""`perdure worker deployment …`: which version of the workers runs go to."""

from perdure.cli.deployment._verbs import NAME, add

__all__ = ["NAME", "add"]
