"""Whether arguments fit a workflow that is known here, before a run is started with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perdure._core import encode
from perdure.convert import decode_arguments
from perdure.workflow._definition import WorkflowDefinition

__all__ = ["check_arguments"]


def check_arguments(definition: WorkflowDefinition[..., Any], arguments: Sequence[Any]) -> None:
    """Looks whether the workflow's own types can be made of them, as the run will.

    Raises:
        EncodeError: One of them cannot travel.
        DecodeError: One of them is of another type.
    """
    declared = definition.parameter_types
    if len(arguments) <= len(declared):
        decode_arguments(declared, encode(list(arguments)))
