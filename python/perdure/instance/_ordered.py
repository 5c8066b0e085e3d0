"""asyncio's own sets, in the order of creation.

`TaskGroup`, `wait`, `as_completed` and `all_tasks` walk sets of tasks, and a builtin set walks by
address: two replays of the same history would cancel, resume and return in different orders.
Inside workflows the name `set` of `asyncio.tasks` and `asyncio.taskgroups` stands for
`OrderedSet`; outside it is the builtin.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, cast

from perdure._core import _native
from perdure.instance._refusal import refusal

__all__ = ["OrderedSet", "in_creation_order", "workflow_set"]

Element = TypeVar("Element")


class OrderedSet(set[Element]):
    """A set that walks in the order of insertion; what is made of it by operators does as well."""

    __slots__ = ("_order",)

    _order: dict[Element, None]

    def __init__(self, elements: Iterable[Element] = (), /) -> None:
        self._order = dict.fromkeys(in_creation_order(elements))
        super().__init__(self._order)

    def __iter__(self) -> Iterator[Element]:
        return iter(self._order)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._order))}}}" if self._order else "set()"

    def __reduce__(self) -> tuple[Any, ...]:
        return (OrderedSet, (list(self._order),))

    def add(self, element: Element, /) -> None:
        super().add(element)
        self._order[element] = None

    def discard(self, element: object, /) -> None:
        super().discard(element)
        self._order.pop(cast("Element", element), None)

    def remove(self, element: Element, /) -> None:
        super().remove(element)
        del self._order[element]

    def pop(self) -> Element:
        """Takes out the oldest element."""
        if not self._order:
            raise KeyError("pop from an empty set")
        element = next(iter(self._order))
        self.remove(element)
        return element

    def clear(self) -> None:
        super().clear()
        self._order.clear()

    def copy(self) -> OrderedSet[Element]:
        return OrderedSet(self._order)

    __copy__ = copy

    def update(self, *others: Iterable[Any]) -> None:
        for other in others:
            for element in in_creation_order(other):
                self.add(element)

    def difference_update(self, *others: Iterable[Any]) -> None:
        for other in others:
            for element in list(other):
                self.discard(element)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        self._keep(self.intersection(*others))

    def symmetric_difference_update(self, other: Iterable[Any], /) -> None:
        self._keep(self.symmetric_difference(other))

    def _keep(self, elements: OrderedSet[Any]) -> None:
        elements = OrderedSet(elements)
        self.clear()
        for element in elements:
            self.add(element)

    def union(self, *others: Iterable[Any]) -> OrderedSet[Any]:
        result: OrderedSet[Any] = OrderedSet(self._order)
        result.update(*others)
        return result

    def difference(self, *others: Iterable[Any]) -> OrderedSet[Element]:
        result = OrderedSet(self._order)
        result.difference_update(*others)
        return result

    def intersection(self, *others: Iterable[Any]) -> OrderedSet[Element]:
        kept = [builtins.set(other) for other in others]
        return OrderedSet(
            [element for element in self._order if all(element in other for other in kept)]
        )

    def symmetric_difference(self, other: Iterable[Any], /) -> OrderedSet[Any]:
        others: OrderedSet[Any] = OrderedSet(other)
        mine = [element for element in self._order if element not in others]
        return OrderedSet(mine + [element for element in others if element not in self])

    def __or__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return self.union(other) if _is_set(other) else NotImplemented

    def __and__(self, other: AbstractSet[object], /) -> OrderedSet[Element]:
        return self.intersection(other) if _is_set(other) else NotImplemented

    def __sub__(self, other: AbstractSet[object], /) -> OrderedSet[Element]:
        return self.difference(other) if _is_set(other) else NotImplemented

    def __xor__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return self.symmetric_difference(other) if _is_set(other) else NotImplemented

    def __ror__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return OrderedSet(other).union(self)

    def __rand__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return OrderedSet(other).intersection(self)

    def __rsub__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return OrderedSet(other).difference(self)

    def __rxor__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        return OrderedSet(other).symmetric_difference(self)

    def __ior__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        self.update(other)
        return self

    def __iand__(self, other: AbstractSet[object], /) -> OrderedSet[Element]:
        self.intersection_update(other)
        return self

    def __isub__(self, other: AbstractSet[object], /) -> OrderedSet[Element]:
        self.difference_update(other)
        return self

    def __ixor__(self, other: AbstractSet[Any], /) -> OrderedSet[Any]:
        self.symmetric_difference_update(other)
        return self


def _is_set(other: object) -> bool:
    """What the operators of a set take."""
    return isinstance(other, AbstractSet)


def in_creation_order(elements: Iterable[Element]) -> Iterable[Element]:
    """The elements in an order that every replay repeats.

    Anything that has an order of its own keeps it. Of a builtin set, tasks come in the order of
    their creation; a single other element comes last.

    Raises:
        NondeterminismError: A builtin set of futures that are no tasks: nothing orders them.
    """
    if not isinstance(elements, (builtins.set, frozenset)) or isinstance(elements, OrderedSet):
        return elements
    loop: Any = _native.current_loop()
    if loop is None or len(elements) < 2:
        return elements
    numbered: list[tuple[int, Element]] = []
    others: list[Element] = []
    for element in elements:
        number = loop.creation_number(element)
        if number is None:
            others.append(element)
        else:
            numbered.append((number, element))
    if len(others) > 1:
        raise refusal(
            "Waiting for a set of futures that are no tasks",
            "A set walks them by address: pass a list instead.",
        )
    numbered.sort(key=lambda pair: pair[0])
    return [element for _, element in numbered] + others


def workflow_set(elements: Iterable[Any] = (), /) -> set[Any]:
    """What asyncio calls `set`: ordered inside workflows, the builtin elsewhere."""
    if _native.current_loop() is None:
        return builtins.set(elements)
    return OrderedSet(elements)
