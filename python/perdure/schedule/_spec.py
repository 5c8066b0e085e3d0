"""When a schedule acts: cron expressions and intervals, in a time zone, as instants."""

from __future__ import annotations

import heapq
import itertools
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

__all__ = ["ScheduleIntervalSpec", "ScheduleSpec", "times_after"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScheduleIntervalSpec:
    """Every so often: at the Unix epoch plus `offset` plus any multiple of `every`."""

    every: timedelta
    """The span from one time to the next; at least one second."""
    offset: timedelta = timedelta(0)
    """By how much the times are later than multiples of `every`; nothing by default."""

    def __post_init__(self) -> None:
        if self.every < timedelta(seconds=1):
            raise ValueError(f"a schedule acts every second at most: every={self.every}")


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """When a schedule acts: at every time that any of its expressions and intervals names.

    Raises:
        TypeError: The expressions are one text, or an interval is no `ScheduleIntervalSpec`.
        ValueError: An expression or the time zone cannot be read; the message says which.
    """

    cron_expressions: Sequence[str] = ()
    """Five fields as in crontab(5), or six with seconds first; none by default. A time that a
    change to summer time skips is made up for right after it; one that comes twice counts once."""
    intervals: Sequence[ScheduleIntervalSpec] = ()
    """Spans; none by default."""
    time_zone_name: str = "UTC"
    """The zone of the cron expressions, such as `Europe/Berlin`; `UTC` by default."""
    start_at: datetime | None = None
    """No time before this one; no such limit by default."""
    end_at: datetime | None = None
    """No time after this one; no such limit by default."""
    jitter: timedelta = timedelta(0)
    """Each time is put off by a random span up to this; not at all by default."""

    def __post_init__(self) -> None:
        if isinstance(self.cron_expressions, str):
            raise TypeError(f"cron_expressions is a list: [{self.cron_expressions!r}]")
        for interval in self.intervals:
            if not isinstance(interval, ScheduleIntervalSpec):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"intervals has ScheduleIntervalSpec(every=timedelta(…)), not {interval!r}"
                )
        try:
            zone = zoneinfo.ZoneInfo(self.time_zone_name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"there is no time zone {self.time_zone_name!r}") from error
        for expression in self.cron_expressions:
            try:
                CronSim(expression, _EPOCH.astimezone(zone))
            except CronSimError as error:
                raise ValueError(f"cron expression {expression!r}: {error}") from error
        for name in ("start_at", "end_at"):
            limit: datetime | None = getattr(self, name)
            if limit is not None and limit.tzinfo is None:
                raise ValueError(f"{name} needs a time zone: {limit!r}")
        if self.jitter < timedelta(0):
            raise ValueError(f"jitter cannot be negative: {self.jitter}")


def times_after(spec: ScheduleSpec, after: datetime) -> Iterator[datetime]:
    """The times of a schedule later than `after`, in order, each once, in UTC and without jitter.

    It ends when the specification names no time any more.
    """
    begin = after.astimezone(UTC)
    if spec.start_at is not None:
        begin = max(begin, spec.start_at.astimezone(UTC) - timedelta(microseconds=1))
    zone = zoneinfo.ZoneInfo(spec.time_zone_name)
    each = [_cron_times(expression, begin.astimezone(zone)) for expression in spec.cron_expressions]
    each += [_interval_times(interval, begin) for interval in spec.intervals]
    for time, _ in itertools.groupby(heapq.merge(*each)):
        if spec.end_at is not None and time > spec.end_at:
            return
        yield time


def _cron_times(expression: str, after: datetime) -> Iterator[datetime]:
    # A time that comes twice when clocks are set back is given twice to some expressions: the later
    # of the two is another instant, and stays.
    return (time.astimezone(UTC) for time in CronSim(expression, after))


def _interval_times(interval: ScheduleIntervalSpec, after: datetime) -> Iterator[datetime]:
    passed = (after - _EPOCH - interval.offset) // interval.every
    begin = _EPOCH + interval.offset + (passed + 1) * interval.every
    return (begin + number * interval.every for number in itertools.count())
