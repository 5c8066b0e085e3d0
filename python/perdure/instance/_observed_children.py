"""A run's children, with a note of what is asked of them and of other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.instance._children import Children
from perdure.instance._frames import Site, user_site
from perdure.instance._noted import plain_value, sent_values

if TYPE_CHECKING:
    from perdure._core import CallSite, InstanceCore
    from perdure.instance._loop import WorkflowLoop
    from perdure.instance._noted import Noted
    from perdure.workflow._child_options import ChildOptions
    from perdure.workflow._children import ChildReference

__all__ = ["ObservedChildren"]


class ObservedChildren(Children):
    """Notes a command before it is submitted."""

    def __init__(
        self, core: InstanceCore, loop: WorkflowLoop, task_queue: str, noted: Noted
    ) -> None:
        super().__init__(core, loop, task_queue)
        self._noted = noted

    async def cancel(self, workflow_id: str, run_id: str | None, reason: str) -> None:
        """The message, noted when it is sent."""
        target = _target(workflow_id, run_id, None)
        self._noted.command("cancel_external", user_site(), target=target)
        await super().cancel(workflow_id, run_id, reason)

    def _begin(
        self,
        site: CallSite,
        reference: ChildReference[Any],
        arguments: bytes,
        options: ChildOptions,
    ) -> Any:
        fields: dict[str, Any] = {
            "workflow_type": reference.name,
            "arguments": plain_value(arguments),
            "cancellation_type": options.cancellation_type.value,
        }
        if options.id is not None:
            fields["workflow_id"] = options.id
        place = Site(site.file, site.line, site.function)
        self._noted.command("start_child", place, **fields)
        return super()._begin(site, reference, arguments, options)

    async def _signal(
        self,
        workflow_id: str,
        run_id: str | None,
        child_n: int | None,
        name: str,
        arguments: tuple[Any, ...],
    ) -> None:
        fields = {
            "target": _target(workflow_id, run_id, child_n),
            "name": name,
            "arguments": sent_values(arguments),
        }
        self._noted.command("signal_external", user_site(), **fields)
        await super()._signal(workflow_id, run_id, child_n, name, arguments)


def _target(workflow_id: str, run_id: str | None, child_n: int | None) -> dict[str, Any]:
    """The fields as an exported history has them: what is not said is left out."""
    fields = {"workflow_id": workflow_id, "run": run_id, "child_n": child_n}
    return {name: value for name, value in fields.items() if value is not None}
