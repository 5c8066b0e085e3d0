"""What a run knows of itself, with what its code has set of that so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure._core import set_visibility
from perdure.convert import attribute_fields, attribute_values, memo_fields, memo_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perdure._core import InstanceCore
    from perdure.search import SearchAttributes
    from perdure.workflow._info import Info

__all__ = ["Visibility"]


class Visibility:
    """The present search attributes and memo of one run, by name."""

    def __init__(self, core: InstanceCore) -> None:
        self._core = core
        self._attributes: dict[str, tuple[str, Any]] = {}
        self._memo: dict[str, bytes] = {}
        self._info: Info | None = None

    def begin(self, started: Mapping[str, Any], info: Info) -> None:
        """Takes what the run was started with."""
        self._attributes = dict(started["search_attributes"])
        self._memo = dict(started["memo"])
        values = attribute_values(self._attributes)
        self._info = replace(info, search_attributes=values) if values else info

    def rename(self, run_id: str, workflow_id: str) -> None:
        """From here on the run is another one than its history so far was written in."""
        self._info = replace(self.info(), run_id=run_id, workflow_id=workflow_id)

    def info(self) -> Info:
        """What is known of the run."""
        if self._info is None:
            raise RuntimeError("the run has not begun")
        return self._info

    def set_attributes(self, attributes: SearchAttributes) -> None:
        """Records a change of attributes, and makes it."""
        fields = attribute_fields(attributes)
        if fields:
            set_visibility(self._core, attributes=fields)
            _apply(self._attributes, fields)
            values = attribute_values(self._attributes)
            self._info = replace(self.info(), search_attributes=values)

    def set_memo(self, entries: Mapping[str, Any]) -> None:
        """Records a change of the memo, and makes it."""
        fields = memo_fields(entries)
        if fields:
            set_visibility(self._core, memo=fields)
            _apply(self._memo, fields)

    def memo(self) -> dict[str, Any]:
        """The values of the memo, decoded anew: what code does to them changes nothing."""
        return memo_values(self._memo)

    def carry_over(self, options: dict[str, Any]) -> None:
        """Gives the run that follows what this one has, but for what is given to it."""
        options.setdefault("memo", list(self._memo.items()))
        options["search_attributes"] = dict(self._attributes)


def _apply(present: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            present.pop(name, None)
        else:
            present[name] = value
