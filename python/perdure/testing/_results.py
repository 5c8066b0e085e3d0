"""What came of replays."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.errors import (
    NondeterminismError,
    PerdureError,
    StoreDamagedError,
    UnknownWorkflowError,
    WorkflowParkedError,
)

if TYPE_CHECKING:
    from perdure.instance._strict import StrictFinding
    from perdure.testing._mismatch import Mismatch

__all__ = ["ReplayVerdict", "WorkflowReplayResult", "WorkflowReplayResults"]


class ReplayVerdict(enum.Enum):
    """What a replay of a history with today's code came to."""

    OK = "ok"
    """The code asks for exactly what the history has, and the results are equal."""
    MISMATCH = "mismatch"
    """The code asks for something else: on a worker, an open run would be parked."""
    BUG = "bug"
    """The code raises what is no failure, or does what is refused: it would park the run too."""
    UNREPEATABLE = "unrepeatable"
    """Of a strict replay alone: it fits, but reads a clock or randomness that is not the run's."""
    UNREADABLE = "unreadable"
    """The history is damaged, of a newer format, or none at all."""
    UNKNOWN_TYPE = "unknown type"
    """None of the workflows has this type."""


@dataclass(frozen=True, slots=True)
class WorkflowReplayResult:
    """What the replay of one history came to."""

    workflow_id: str
    run_id: str
    workflow_type: str
    verdict: ReplayVerdict
    reason: str = ""
    """Why it is not ok, in one paragraph."""
    traceback: str = ""
    """Of a bug: where it was raised."""
    mismatch: Mismatch | None = None
    is_closed: bool = False
    """Whether the run has ended: nothing steps a closed run again."""
    place: str = ""
    """The file of a history that has no names, because it cannot be read."""
    findings: tuple[StrictFinding, ...] = ()
    """Of a strict replay: the calls that give another answer each time."""
    index: int = field(default=0, compare=False)
    """Which of the histories it was, counted from 0."""

    @property
    def replay_failure(self) -> PerdureError | None:
        """The verdict as an exception; None when it is ok."""
        run = f"{self.workflow_type} {self.workflow_id!r} (run {self.run_id})"
        match self.verdict:
            case ReplayVerdict.OK:
                return None
            case ReplayVerdict.MISMATCH:
                return self._nondeterminism(f"{run} cannot be replayed: {self.reason}")
            case ReplayVerdict.BUG:
                return WorkflowParkedError(
                    f"{run} would be parked: {self.reason}\n{self.traceback}".rstrip(),
                    run_id=self.run_id,
                    reason=self.reason,
                    traceback=self.traceback,
                )
            case ReplayVerdict.UNREPEATABLE:
                first = self.findings[0]
                return NondeterminismError(
                    f"{run}: {self.reason}",
                    file=first.file,
                    line=first.line,
                    function=first.function,
                )
            case ReplayVerdict.UNREADABLE:
                named = run if self.workflow_id else self.place
                return StoreDamagedError(f"{named} cannot be read: {self.reason}")
            case ReplayVerdict.UNKNOWN_TYPE:
                return UnknownWorkflowError(self.workflow_type)

    def _nondeterminism(self, text: str) -> NondeterminismError:
        error = NondeterminismError(text)
        if self.mismatch is not None:
            error.mismatch = self.mismatch.in_short
        if self.mismatch is not None and self.mismatch.asked is not None:
            site = self.mismatch.asked.site
            if site is not None:
                error.file, error.line, error.function = site.file, site.line, site.function
        return error


@dataclass(frozen=True, slots=True)
class WorkflowReplayResults:
    """What the replays of many histories came to, in the order of the histories."""

    results: Sequence[WorkflowReplayResult]

    @property
    def is_ok(self) -> bool:
        """Whether every history replays."""
        return all(each.verdict is ReplayVerdict.OK for each in self.results)

    @property
    def replay_failures(self) -> Mapping[str, PerdureError]:
        """The failures by run id; by its file, for a history that cannot be read."""
        return {
            each.run_id or each.place: failure
            for each in self.results
            if (failure := each.replay_failure) is not None
        }

    @property
    def verdicts(self) -> Mapping[str, Mapping[ReplayVerdict, int]]:
        """How many histories came to which verdict, by workflow type."""
        counted: dict[str, dict[ReplayVerdict, int]] = {}
        for each in self.results:
            of_type = counted.setdefault(each.workflow_type, dict.fromkeys(ReplayVerdict, 0))
            of_type[each.verdict] += 1
        return dict(sorted(counted.items()))
