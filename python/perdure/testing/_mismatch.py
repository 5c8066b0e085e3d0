"""What a history has against what today's code asks, for people and for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from perdure.instance._observed import plain_value
from perdure.testing._source_lines import CallSite, recorded_site, todays_site

if TYPE_CHECKING:
    from perdure.instance._observed import Asked, Noted

__all__ = ["FieldDifference", "Mismatch", "ReplayCommand", "mismatch_of"]

_TEXT = re.compile(
    r"history has (?P<recorded>nothing|\w+)(?: .*)? at event (?P<n>\d+), but the code "
    r"(?:now asks for (?P<asked>\w+)(?P<rest>.*)|no longer asks for it)",
    re.DOTALL,
)
_NAME = re.compile(r' of "(?P<name>(?:[^"\\]|\\.)*)"')
_PLACE = re.compile(r" \((?P<file>.*):(?P<line>\d+) in (?P<function>.*)\)$", re.DOTALL)
_OPTION_FIELDS = ("name", "service", "arguments", "result", "command_n", "id")
_DIFFERENCES_MAX = 8
_VALUE_LENGTH_MAX = 80


@dataclass(frozen=True, slots=True)
class ReplayCommand:
    """One side of a mismatch."""

    kind: str
    """As exported histories name it, such as `schedule_activity`."""
    name: str
    """The activity's or the patch's; empty for what has none."""
    site: CallSite | None
    """The call site; None for what has none, such as the end of the run."""

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
    machine_text: str, history: str, noted: Noted | None, todays_files: Sequence[str]
) -> Mismatch | None:
    """The mismatch that the machine's text tells of; None when it tells of something else.

    Args:
        machine_text: What the machine said.
        history: The exported history.
        noted: What the code asked for last, where it was observed.
        todays_files: Where the workflow's code is today.
    """
    found = _TEXT.fullmatch(machine_text)
    if found is None:
        return None
    event_n = int(found["n"])
    command = None if found["recorded"] == "nothing" else _record(history, event_n)
    asked = None if noted is None else noted.last
    if asked is not None and asked.kind != found["asked"]:
        asked = None
    return Mismatch(
        event_n,
        None if command is None else _recorded_side(command, todays_files),
        None if found["asked"] is None else _asked_side(found["asked"], found["rest"], asked),
        () if command is None or asked is None else _differences(command, asked),
        None if noted is None or found["asked"] else todays_site(*noted.waits_at),
    )


def _record(history: str, event_n: int) -> dict[str, Any] | None:
    digits = str(event_n)
    for line in history.splitlines():
        if digits not in line:
            continue
        record: dict[str, Any] = json.loads(line)
        if record.get("n") == event_n:
            return record.get("command")
    return None


def _recorded_side(command: dict[str, Any], todays_files: Sequence[str]) -> ReplayCommand:
    site = command.get("site")
    return ReplayCommand(
        command["kind"],
        command.get("name", "") or command.get("id", ""),
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


def _asked_side(kind: str, rest: str, asked: Asked | None) -> ReplayCommand:
    if asked is not None:
        name = asked.fields.get("name", "") or asked.fields.get("id", "")
        return ReplayCommand(kind, name, todays_site(*asked.site))
    # What is not observed, such as cancels, the machine's text still names.
    name, place = _NAME.match(rest), _PLACE.search(rest)
    return ReplayCommand(
        kind,
        "" if name is None else name["name"],
        None
        if place is None
        else todays_site(place["file"], int(place["line"]), place["function"]),
    )


def _differences(command: dict[str, Any], asked: Asked) -> tuple[FieldDifference, ...]:
    if command["kind"] != asked.kind:
        return ()
    recorded = _recorded_fields(command)
    found: list[FieldDifference] = []
    for field, value in asked.fields.items():
        found.extend(_parts(field, recorded.get(field), value))
    if len(found) > _DIFFERENCES_MAX:
        more = f"{len(found) - _DIFFERENCES_MAX + 1} more"
        found[_DIFFERENCES_MAX - 1 :] = [FieldDifference("…", more, more)]
    return tuple(found)


def _recorded_fields(command: dict[str, Any]) -> dict[str, Any]:
    """The fields under the names that an observed command has."""
    fields: dict[str, Any] = {field: command.get(field) for field in _OPTION_FIELDS}
    for field in ("arguments", "result"):
        fields[field] = _payload(fields[field])
    failure = command.get("failure")
    if failure:
        sort = failure["kind"]
        fields["message"] = failure["message"]
        fields["type"] = sort.get("type_name") or sort.get("activity") or sort["sort"]
    return fields


def _payload(exported: Any) -> Any:
    match exported:
        case {"value": value}:
            return value
        case {"hex": str(digits)}:
            return plain_value(bytes.fromhex(digits))
        case _:
            return exported


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
