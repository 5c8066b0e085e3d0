"""Payloads to Python values and back; failures to exceptions and back."""

from perdure.convert._shapes import shape_of

__all__ = ["shape_of"]
