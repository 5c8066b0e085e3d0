"""Activity references and options, compiled once into what a call needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure._core import ActivityPlan
from perdure.convert import shape_of
from perdure.spans import microseconds, optional_microseconds

if TYPE_CHECKING:
    from perdure.activity._options import ActivityOptions, LocalRun
    from perdure.activity._reference import ActivityReference

__all__ = ["plan_of"]

_KNOWN_PLANS_MAX = 1_000


def plan_of(reference: ActivityReference, options: ActivityOptions) -> ActivityPlan:
    """The plan of an activity with these options; made at the first call."""
    if reference.is_step:
        # Its code is another at each call, and must not be kept.
        return _compile(reference, options)
    try:
        plan: ActivityPlan | None = reference.compiled.get(options)
    except TypeError:
        # A list somewhere in the options: right, only not worth remembering.
        return _compile(reference, options)
    if plan is None:
        if len(reference.compiled) >= _KNOWN_PLANS_MAX:
            # Options that differ from call to call, such as units, are not met again.
            reference.compiled.clear()
        plan = reference.compiled[options] = _compile(reference, options)
    return plan


def _compile(reference: ActivityReference, options: ActivityOptions) -> ActivityPlan:
    policy, local = options.retry_policy, options.local
    return ActivityPlan(
        reference=reference,
        name=reference.name,
        service=reference.service,
        result=shape_of(reference.result_type),
        task_queue=options.task_queue,
        timeouts_us=(
            optional_microseconds(options.schedule_to_start_timeout),
            optional_microseconds(options.start_to_close_timeout),
            optional_microseconds(options.schedule_to_close_timeout),
            optional_microseconds(options.heartbeat_timeout),
        ),
        retry=policy.fields(),
        cancellation_type=options.cancellation_type.value,
        priority=options.priority.fields(),
        rate_limits=[each.fields() for each in options.rate_limits],
        headers=list((options.headers or {}).items()),
        local=None if local is None else _local_fields(local),
        session=options.session,
    )


def _local_fields(local: LocalRun) -> tuple[int, bool]:
    return microseconds(local.retry_threshold), local.recorded_first
