"""When schedules act: cron expressions, intervals, time zones, changes to summer time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.schedule import ScheduleIntervalSpec, ScheduleSpec
from perdure.schedule._spec import times_after


def _next(spec: ScheduleSpec, after: str, count: int = 3) -> list[str]:
    times = times_after(spec, datetime.fromisoformat(after))
    return [f"{time:%m-%dT%H:%M:%S}" for time in itertools.islice(times, count)]


def test_a_time_is_strictly_after_the_one_before() -> None:
    spec = ScheduleSpec(["0 12 * * *"])
    assert _next(spec, "2026-01-01T12:00:00Z", 1) == ["01-02T12:00:00"]
    assert _next(spec, "2026-01-01T11:59:59.999999Z", 1) == ["01-01T12:00:00"]


def test_the_zone_is_that_of_the_expressions() -> None:
    spec = ScheduleSpec(["0 9 * * MON-FRI"], time_zone_name="America/New_York")
    assert _next(spec, "2026-11-25T00:00:00Z") == [
        "11-25T14:00:00",
        "11-26T14:00:00",
        "11-27T14:00:00",
    ]


def test_a_time_that_summer_time_skips_is_made_up_for_at_once() -> None:
    spec = ScheduleSpec(["30 2 * * *"], time_zone_name="Europe/Berlin")
    assert _next(spec, "2026-03-28T12:00:00Z", 2) == ["03-29T01:00:00", "03-30T00:30:00"]


def test_a_time_that_comes_twice_counts_once() -> None:
    spec = ScheduleSpec(["30 2 * * *"], time_zone_name="Europe/Berlin")
    assert _next(spec, "2026-10-24T12:00:00Z", 2) == ["10-25T00:30:00", "10-26T01:30:00"]


def test_an_interval_does_not_know_of_summer_time() -> None:
    spec = ScheduleSpec(
        intervals=[ScheduleIntervalSpec(timedelta(hours=6), timedelta(minutes=5))],
        time_zone_name="Europe/Berlin",
    )
    assert _next(spec, "2026-03-28T23:00:00Z") == [
        "03-29T00:05:00",
        "03-29T06:05:00",
        "03-29T12:05:00",
    ]


def test_what_several_parts_name_comes_once_and_in_order() -> None:
    spec = ScheduleSpec(["0 0 * * *", "0 */12 * * *"], [ScheduleIntervalSpec(timedelta(hours=12))])
    assert _next(spec, "2026-01-01T01:00:00Z") == [
        "01-01T12:00:00",
        "01-02T00:00:00",
        "01-02T12:00:00",
    ]


def test_nothing_is_outside_of_the_limits_and_both_ends_are_inside() -> None:
    spec = ScheduleSpec(
        ["0 * * * *"],
        start_at=datetime(2026, 1, 1, 6, tzinfo=UTC),
        end_at=datetime(2026, 1, 1, 8, tzinfo=UTC),
    )
    assert _next(spec, "2026-01-01T00:00:00Z", 9) == [
        "01-01T06:00:00",
        "01-01T07:00:00",
        "01-01T08:00:00",
    ]


def test_the_29th_of_february_is_found() -> None:
    times = times_after(ScheduleSpec(["0 0 29 2 *"]), datetime(2026, 1, 1, tzinfo=UTC))
    assert next(times) == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: ScheduleSpec(["61 * * * *"]), "'61 \\* \\* \\* \\*'"),
        (lambda: ScheduleSpec(["0 0 30 2 *"]), "day-of-month"),
        (lambda: ScheduleSpec(time_zone_name="Mars/Olympus"), "Mars/Olympus"),
        (lambda: ScheduleSpec(end_at=datetime(2026, 1, 1)), "end_at"),  # noqa: DTZ001
        (lambda: ScheduleSpec(jitter=timedelta(seconds=-1)), "jitter"),
        (lambda: ScheduleIntervalSpec(timedelta(0)), "every second"),
    ],
    ids=["field", "never", "zone", "naive", "jitter", "interval"],
)
def test_what_cannot_be_is_refused_where_it_is_written(wrong, says: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cron_expressions": "0 2 * * *"}, r"a list: \['0 2 \* \* \*'\]"),
        ({"intervals": [timedelta(seconds=1)]}, "ScheduleIntervalSpec"),
    ],
)
def test_what_is_no_list_of_times_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        ScheduleSpec(**options)
