"""What a history has against what today's code asks, for people and for programs."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from perdure.errors import HistoryMismatch, MismatchSide
from perdure.testing._patch_edit import Call, patch_edit
from perdure.testing._recorded import recorded_fields, recorded_name
from perdure.testing._source_lines import CallSite, recorded_site, todays_site

if TYPE_CHECKING:
    from perdure.errors import NondeterminismError
    from perdure.instance._noted import Asked, Noted

__all__ = ["FieldDifference", "Mismatch", "ReplayCommand", "mismatch_of"]

_LATER_CALLS_MAX = 100
_DIFFERENCES_MAX = 8
_VALUE_LENGTH_MAX = 80


@dataclass(frozen=True, slots=True)
class ReplayCommand:
    """One side of a mismatch."""

    kind: str
    """As exported histories name it, such as `schedule_activity`."""
    name: str
    """The activity's, the patch's, the child's type, the signal's, the id of the run that is
    cancelled; empty for what has none."""
    site: CallSite | None
    """The call site; None for what has none, such as the end of the run."""

    @property
    def in_short(self) -> MismatchSide:
        """The same without the line of source."""
        site = self.site
        if site is None:
            return MismatchSide(self.kind, self.name, "", 0, "")
        return MismatchSide(self.kind, self.name, site.file, site.line, site.function)

    def __str__(self) -> str:
        return f"{self.kind} of {self.name!r}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field, or a part of it, that differs: its values in history and now, as text."""

    field: str
    recorded: str
    asked: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first command at which history and code part."""

    event_n: int
    """The number of the record in the history."""
    recorded: ReplayCommand | None
    """What history has; None when the code asks for one command more."""
    asked: ReplayCommand | None
    """What the code asks; None when it no longer asks for anything there."""
    differences: tuple[FieldDifference, ...]
    """What differs, where both sides are commands of the same kind."""
    waits_at: CallSite | None = None
    """Where the code waits instead, when it no longer asks for anything there."""
    patch_edit: str = ""
    """The edit by which the code would have both branches, as a unified diff; empty where the
    lines that it would change are not known."""

    @property
    def in_short(self) -> HistoryMismatch:
        """The same without the lines of source."""
        return HistoryMismatch(
            self.event_n,
            None if self.recorded is None else self.recorded.in_short,
            None if self.asked is None else self.asked.in_short,
            tuple((each.field, each.recorded, each.asked) for each in self.differences),
        )

    @property
    def title(self) -> str:
        """One line, the same for all runs that part at the same place."""
        recorded = "nothing" if self.recorded is None else str(self.recorded)
        if self.asked is None:
            return f"history has {recorded}, the code no longer asks for it"
        if str(self.recorded) == str(self.asked):
            return f"history has {recorded}, the code asks for another one"
        return f"history has {recorded}, the code asks for {self.asked}"

    def __str__(self) -> str:
        return "\n".join([f"at event {self.event_n} {self.title}", *self._details()])

    def _details(self) -> Iterator[str]:
        asked_site = self.waits_at if self.asked is None else self.asked.site
        recorded_site = None if self.recorded is None else self.recorded.site
        for word, site in (("recorded", recorded_site), ("now", asked_site)):
            if site is None:
                continue
            yield f"  {word:<8}  {site}"
            if site.source is not None:
                yield f"  {'':<8}    {site.source}"
            elif word == "recorded":
                yield f"  {'':<8}    (the function has changed since; its old lines are not kept)"
        for each in self.differences:
            yield f"  {each.field}: recorded {each.recorded}, now {each.asked}"


def mismatch_of(
    refusal: NondeterminismError, history: str, noted: Noted | None, todays_files: Sequence[str]
) -> Mismatch:
    """The mismatch that the machine found, with what the history and the source files add to it.

    Args:
        refusal: What the machine said.
        history: The exported history.
        noted: What the code asked for last, where it was observed.
        todays_files: Where the workflow's code is today.
    """
    found = refusal.mismatch
    if found is None:
        raise ValueError("this refusal is about something else than the history")
    record = {} if found.recorded is None else _record(history, found.event_n)
    command = record.get("command")
    observed = None if noted is None else noted.last
    if found.asked is None or (observed is not None and observed.kind != found.asked.kind):
        observed = None
    asked = None if found.asked is None else _asked_side(found.asked, observed)
    waits_at = None if noted is None or found.asked else todays_site(*noted.waits_at)
    mismatch = Mismatch(
        found.event_n,
        None if command is None else _recorded_side(command, todays_files),
        asked,
        _differences(found, command, observed),
        waits_at,
    )
    later = _calls_after(history, found.event_n)
    return dataclasses.replace(mismatch, patch_edit=patch_edit(mismatch, record, later))


def _calls_after(history: str, event_n: int) -> Iterator[Call]:
    """The nearest calls that follow a record."""
    lines = (line for line in history.splitlines() if '"command"' in line)
    records = (json.loads(line) for line in lines)
    following = (each for each in records if each.get("n", 0) > event_n)
    for record in itertools.islice(following, _LATER_CALLS_MAX):
        command = record["command"]
        yield command["kind"], recorded_name(command)


def _record(history: str, event_n: int) -> dict[str, Any]:
    digits = str(event_n)
    for line in history.splitlines():
        if digits not in line:
            continue
        record: dict[str, Any] = json.loads(line)
        if record.get("n") == event_n:
            return record
    return {}


def _recorded_side(command: dict[str, Any], todays_files: Sequence[str]) -> ReplayCommand:
    site = command.get("site")
    return ReplayCommand(
        command["kind"],
        recorded_name(command),
        None
        if site is None
        else recorded_site(
            site["file"],
            site["line"],
            site["function"],
            site["source_hash"],
            todays_files=todays_files,
        ),
    )


def _asked_side(asked: MismatchSide, observed: Asked | None) -> ReplayCommand:
    # What is not observed, such as cancels, the machine still names.
    place = (asked.file, asked.line, asked.function) if observed is None else observed.site
    return ReplayCommand(asked.kind, asked.name, todays_site(*place))


def _differences(
    found: HistoryMismatch, command: dict[str, Any] | None, observed: Asked | None
) -> tuple[FieldDifference, ...]:
    if command is None or found.asked is None or command["kind"] != found.asked.kind:
        return ()
    if observed is None:
        return tuple(FieldDifference(*each) for each in found.differing_fields)
    recorded = recorded_fields(command)
    parts: list[FieldDifference] = []
    for field, value in observed.fields.items():
        parts.extend(_parts(field, recorded.get(field), value))
    # An id that the code does not choose is the machine's to know.
    machines = [each for each in found.differing_fields if each[0] == "workflow_id"]
    if observed.kind == "start_child" and "workflow_id" not in observed.fields:
        parts.extend(FieldDifference(*each) for each in machines)
    if len(parts) > _DIFFERENCES_MAX:
        more = f"{len(parts) - _DIFFERENCES_MAX + 1} more"
        parts[_DIFFERENCES_MAX - 1 :] = [FieldDifference("…", more, more)]
    return tuple(parts)


def _parts(path: str, recorded: Any, asked: Any) -> Iterator[FieldDifference]:
    """The smallest parts that differ."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        old, new = cast("dict[str, Any]", recorded), cast("dict[str, Any]", asked)
        for key in dict.fromkeys([*old, *new]):
            yield from _part(f"{path}[{key!r}]", old, new, key, key in old, key in new)
        return
    if isinstance(recorded, list) and isinstance(asked, list):
        olds, news = cast("list[Any]", recorded), cast("list[Any]", asked)
        for index in range(max(len(olds), len(news))):
            known = index < len(olds), index < len(news)
            yield from _part(f"{path}[{index}]", olds, news, index, *known)
        return
    one, other = cast("object", recorded), cast("object", asked)
    if one != other or type(one) is not type(other):
        yield FieldDifference(path, _shown(one), _shown(other))


def _part(
    path: str, recorded: Any, asked: Any, key: Any, was_there: bool, is_there: bool
) -> Iterator[FieldDifference]:
    if was_there and is_there:
        yield from _parts(path, recorded[key], asked[key])
    else:
        old = _shown(recorded[key]) if was_there else "nothing"
        yield FieldDifference(path, old, _shown(asked[key]) if is_there else "nothing")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[: _VALUE_LENGTH_MAX - 1]}…"
