"""Updates, as a client sends them and waits for them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from perdure._core import StoreReader, decode, encode
from perdure.client._answer import Answer
from perdure.client._ids import new_message_id
from perdure.client._port import deliver
from perdure.convert import shape_of

__all__ = ["UpdateStage", "WorkflowUpdateHandle", "start_update", "update_fields"]

Result = TypeVar("Result")

UpdateStage: TypeAlias = Literal["accepted", "completed"]
"""What `start_update` waits for."""


class WorkflowUpdateHandle(Generic[Result]):
    """An update that was sent: its result can be waited for, now or after a restart."""

    def __init__(
        self,
        path: Path,
        run_id: str,
        update_id: str,
        result_type: Any = Any,
        answer: Answer | None = None,
    ) -> None:
        self.id = update_id
        self.run_id = run_id
        self._path = path
        self._result_type = result_type
        self._answer = answer

    async def result(self) -> Result:
        """Waits until the handler has ended, and gives what it returned.

        Raises:
            WorkflowUpdateFailedError: The handler failed; `__cause__` says why.
            WorkflowParkedError: A bug has stopped the run.
            RunClosedError: The run closed before the handler ended.
            NoWorkerError: No engine, or no worker of the run's task queue, has come for 5 s.
            NotFoundError: There is no such run, or it has no such update.
        """
        if self._answer is None:
            fields = {"run": uuid.UUID(self.run_id).bytes, "update": self.id}
            self._answer = await deliver(
                self._path, "await_update", new_message_id(), fields, durable=False
            )
        data = self._answer.update_outcome(self.id)
        return cast("Result", decode(data, shape_of(self._result_type)))

    def __repr__(self) -> str:
        return f"<update {self.id!r} of run {self.run_id}>"


async def start_update(
    path: Path,
    run_id: str,
    name: str,
    arguments: Sequence[Any],
    *,
    update_id: str | None,
    stage: UpdateStage,
    result_type: Any,
) -> WorkflowUpdateHandle[Any]:
    """Sends an update and waits until it is accepted, or has completed."""
    chosen_id = new_message_id() if update_id is None else update_id
    if not chosen_id:
        raise ValueError("an update's id is not empty")
    fields = {
        "name": name,
        "arguments": encode(list(arguments)),
        "stage": stage,
    }
    while True:
        fields["run"] = uuid.UUID(run_id).bytes
        answer = await deliver(path, "update", chosen_id, fields)
        following = None
        if answer.kind == "closed":
            following = await asyncio.to_thread(_run_to_ask_next, path, run_id, chosen_id)
        if following is None:
            break
        run_id = following
    ended = answer.accepted_update(chosen_id)
    return WorkflowUpdateHandle(path, run_id, chosen_id, result_type, answer if ended else None)


def update_fields(name: str, arguments: Sequence[Any], update_id: str) -> dict[str, Any]:
    """What the message of a start says of the update that it brings."""
    if not update_id:
        raise ValueError("an update's id is not empty")
    return {
        "update_id": update_id,
        "update_name": name,
        "update_arguments": encode(list(arguments)),
    }


def _run_to_ask_next(path: Path, run_id: str, update_id: str) -> str | None:
    """The run that follows a closed one; None also when the closed one had accepted the update."""
    reader, run = StoreReader(path), uuid.UUID(run_id).bytes
    outcome = reader.outcome(run)
    if outcome is None or outcome.next_run_id is None:
        return None
    for line in reader.history(run).splitlines():
        event: dict[str, Any] = json.loads(line).get("event", {})
        if event.get("kind") == "update_accepted" and event.get("message_id") == update_id:
            return None
    return outcome.next_run_id
