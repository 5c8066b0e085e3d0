"""Payloads to Python values and back; failures to exceptions and back."""

from perdure.convert._arguments import decode_arguments
from perdure.convert._failures import (
    exception_of,
    failure_fields,
    failure_from_fields,
    failure_of,
)
from perdure.convert._search import (
    attribute_fields,
    attribute_values,
    memo_fields,
    memo_values,
)
from perdure.convert._shapes import check_travels, shape_of

__all__ = [
    "attribute_fields",
    "attribute_values",
    "check_travels",
    "decode_arguments",
    "exception_of",
    "failure_fields",
    "failure_from_fields",
    "failure_of",
    "memo_fields",
    "memo_values",
    "shape_of",
]
