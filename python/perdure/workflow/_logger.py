"""A logger that is silent while history is replayed."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from perdure import _runtime

__all__ = ["logger"]


class _WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the run's name to each line, and says nothing twice."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is logging's
        runtime = _runtime.current()
        if runtime is not None and runtime.is_replaying():
            return False
        return super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        runtime = _runtime.current()
        if runtime is None:
            return msg, kwargs
        info = runtime.info()
        extra = dict(kwargs.get("extra") or {})
        extra |= {"workflow_id": info.workflow_id, "run_id": info.run_id}
        kwargs["extra"] = extra
        return f"[{info.workflow_type} {info.workflow_id}] {msg}", kwargs


logger: logging.LoggerAdapter[logging.Logger] = _WorkflowLogger(
    logging.getLogger("perdure.workflow"), {}
)
"""Logs once for each thing that happens, not again on replay."""
