"""Which module measures which figures, and what the goal of each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["GOALS", "PARTS", "Goal", "Part", "is_better"]

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Part:
    """One process that prints figures."""

    command: tuple[str, ...]
    """`python -m` and these, or a program when the first begins with no `benches.`."""
    names: tuple[str, ...]
    pinned: bool = True
    """Whether it is measured on one processor too, and the better figure kept."""
    only_whole: bool = False
    """Whether `--fast` leaves it out."""


@dataclass(frozen=True)
class Goal:
    """What a figure should be, judged by the figures of the same run."""

    text: str
    reached: Callable[[float, Figures], bool]


PARTS = (
    Part(
        ("benches.end_to_end.replay",),
        (
            "replay_1000_steps_per_s",
            "replay_10000_steps_per_s",
            "cpython_floor_steps_per_s",
            "replay_fanout_1000_steps_per_s",
            "replay_1000_dataclass_steps_per_s",
            "replay_growing_1mib_context_200_steps_s",
        ),
    ),
    Part(
        ("cargo", "bench", "--quiet", "-p", "perdure-bench-core"),
        ("machine_events_per_s", "encode_records_per_s", "decode_records_per_s"),
        pinned=False,
        only_whole=True,
    ),
    Part(
        ("benches.end_to_end.durable",),
        (
            "fdatasync_per_s",
            "fdatasync_p50_ms",
            "sequential_steps_per_s",
            "local_steps_per_s",
            "empty_start_result_p50_ms",
        ),
    ),
    Part(
        ("benches.end_to_end.growing",),
        (
            "growing_context_200_steps_stored_bytes",
            "growing_context_200_steps_stored_ratio",
        ),
        pinned=False,
    ),
    Part(("benches.end_to_end.syncs",), ("syncs_per_step", "syncs_per_local_step"), pinned=False),
    Part(
        ("benches.end_to_end.concurrent",),
        ("concurrent_500x10_steps_per_s", "concurrent_500x10_p99_ms"),
    ),
    Part(
        ("benches.end_to_end.loop_hold",),
        ("host_loop_hold_p99_ms", "host_loop_hold_max_ms"),
        pinned=False,
    ),
    Part(
        ("benches.end_to_end.bridge",),
        (
            "go_nats_call_p50_ms",
            "go_stdio_call_p50_ms",
            "go_nats_64_calls_per_s",
            "go_stdio_64_calls_per_s",
            "go_nats_gather64_calls_per_s",
        ),
    ),
    Part(
        ("benches.end_to_end.restart",),
        ("restart_10000_sleeping_ready_s",),
        pinned=False,
        only_whole=True,
    ),
    Part(
        ("benches.end_to_end.search",),
        ("list_filtered_100000_runs_ms", "count_filtered_100000_runs_ms"),
        pinned=False,
        only_whole=True,
    ),
    Part(
        ("benches.end_to_end.memory",),
        ("live_run_overhead_kib", "evictions_left_objects"),
        pinned=False,
    ),
)


def _at_least(bound: float) -> Goal:
    return Goal(f"≥ {bound:,.0f}", lambda value, _all: value >= bound)


def _at_most(bound: float) -> Goal:
    return Goal(f"≤ {bound:g}", lambda value, _all: value <= bound)


def _syncs_plus(factor: float, extra_ms: float) -> Goal:
    return Goal(
        f"≤ {factor:g} × fdatasync_p50_ms + {extra_ms:g}",
        lambda value, all_: value <= factor * all_["fdatasync_p50_ms"] + extra_ms,
    )


GOALS: Mapping[str, Goal] = {
    "replay_1000_steps_per_s": Goal(
        "≥ 500,000 and ≥ floor / 2",
        lambda value, all_: value >= max(5e5, all_["cpython_floor_steps_per_s"] / 2),
    ),
    "replay_10000_steps_per_s": Goal(
        "≥ 500,000, within 1.2 × of 1,000",
        lambda value, all_: value >= max(5e5, all_["replay_1000_steps_per_s"] / 1.2),
    ),
    "machine_events_per_s": _at_least(5_000_000),
    "sequential_steps_per_s": Goal(
        "≥ 0.55 × fdatasync_per_s",
        lambda value, all_: value >= 0.55 * all_["fdatasync_per_s"],
    ),
    "syncs_per_step": Goal("= 1", lambda value, _all: round(value, 2) <= 1.0),
    "concurrent_500x10_steps_per_s": _at_least(50_000),
    "empty_start_result_p50_ms": _syncs_plus(2, 0.5),
    "host_loop_hold_p99_ms": _at_most(5),
    "go_nats_call_p50_ms": _syncs_plus(1, 0.7),
    "go_stdio_call_p50_ms": _syncs_plus(1, 0.4),
    "go_nats_64_calls_per_s": _at_least(10_000),
    "go_stdio_64_calls_per_s": _at_least(10_000),
    "go_nats_gather64_calls_per_s": _at_least(10_000),
    "restart_10000_sleeping_ready_s": Goal("< 1", lambda value, _all: value < 1),
    "list_filtered_100000_runs_ms": Goal("< 50", lambda value, _all: value < 50),
    "count_filtered_100000_runs_ms": Goal("< 50", lambda value, _all: value < 50),
    "growing_context_200_steps_stored_ratio": _at_most(8),
    "live_run_overhead_kib": _at_most(20),
    "evictions_left_objects": Goal("= 0", lambda value, _all: value == 0),
}


def is_better(name: str, value: float, than: float) -> bool:
    """Rates should be high; times, sizes and counts low."""
    return value > than if name.endswith("_per_s") else value < than
