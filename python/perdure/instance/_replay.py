"""A recorded history against today's code, with no engine behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.instance._determinism import install_determinism
from perdure.instance._instance import Instance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from perdure._core._instance import RecordedHistory
    from perdure.workflow._definition import WorkflowDefinition

__all__ = ["replay"]


def replay(
    history: RecordedHistory, workflows: Mapping[str, WorkflowDefinition[..., Any]]
) -> Instance:
    """Reads, checks and delivers the whole history; gives the instance as it then stands.

    The caller evicts it. Results that differ from what is recorded are a mismatch too.

    Raises:
        StoreDamagedError: The history cannot be read.
        NondeterminismError: The code asks for something else than what is recorded.
        Exception: What parks the run at its end: a bug of the workflow's code.
    """
    install_determinism()
    instance = Instance(lambda _, name: workflows.get(name), history.run_id, 0)
    history.lend(instance)
    try:
        instance.drive()
        if instance.bug is not None:
            raise instance.bug
    except BaseException:
        history.take_back(instance)
        instance.evict()
        raise
    history.take_back(instance)
    return instance
