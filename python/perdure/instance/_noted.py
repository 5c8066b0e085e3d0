"""Notes of what workflow code asked for last, with plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.instance._frames import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NOWHERE", "Asked", "Noted", "plain_value", "sent_values"]

NOWHERE = Site("", 0, "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as the code asks for it, its fields named as in an exported history."""

    kind: str
    fields: dict[str, Any]
    site: Site


class Noted:
    """What was asked for last; it outlives the instance."""

    def __init__(self) -> None:
        self.last: Asked | None = None
        self.waits_at = NOWHERE
        """Where the workflow itself waited in the end."""

    def command(self, kind: str, site: Site, **fields: Any) -> None:
        """Notes a command that is about to be submitted."""
        self.last = Asked(kind, fields, site)


def plain_value(data: bytes) -> Any:
    """The payload's value without anybody's types: lists, maps and what MessagePack has."""
    return decode(data, shape_of(Any))


def sent_values(arguments: Sequence[Any]) -> Any:
    """Arguments as they arrive at somebody who has no types for them."""
    return plain_value(encode(list(arguments)))
