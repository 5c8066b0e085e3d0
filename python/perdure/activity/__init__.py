"""Activities: ordinary functions whose results are recorded."""

from perdure.activity._context import (
    Info,
    heartbeat,
    info,
    is_cancelled,
    raise_complete_async,
)
from perdure.activity._definition import ActivityDefinition, defn
from perdure.activity._options import ActivityCancellationType, ActivityOptions
from perdure.activity._service import Service, service

__all__ = [
    "ActivityCancellationType",
    "ActivityDefinition",
    "ActivityOptions",
    "Info",
    "Service",
    "defn",
    "heartbeat",
    "info",
    "is_cancelled",
    "raise_complete_async",
    "service",
]
