"""Cases K: typed values through a workflow and its activities, live and replayed."""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import pytest

from perdure import Client, Worker, activity, workflow
from tests.semantics.ways import three_ways

Value = TypeVar("Value")


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


@dataclass
class Card:
    kind: Literal["card"]
    number: str


@dataclass
class Invoice:
    kind: Literal["invoice"]
    number: str


@dataclass
class Page(Generic[Value]):
    items: list[Value]
    seen: set[str] = field(default_factory=set[str])
    next: Page[Value] | None = None


@activity.defn
async def bill(page: Page[Card | Invoice], due: date) -> dict[str, Decimal]:
    kinds = [type(each).__name__ for each in page.items]
    return {f"{kinds} {sorted(page.seen)} {due:%A}": Decimal("0.1")}


@workflow.defn
async def typed(size: Size, page: Page[Card | Invoice]) -> tuple[bool, str, Decimal, date]:
    due = date(2026, 1, 1)
    page.next = Page([Card("card", "3")], {"word1", "word2", "word3"})
    (text, amount), *_ = (await bill(page, due)).items()
    (again, _), *_ = (await bill(page.next, due)).items()
    return size is Size.LARGE, f"{text}; {again}", amount, due


async def _run(client: Client) -> Any:
    page = Page([Card("card", "1"), Invoice("invoice", "2")], {"a", "b"})
    return await client.execute_workflow(typed, Size.LARGE, page)


def test_k8_types_are_the_same_live_and_replayed() -> None:
    is_large, text, amount, due = three_ways(_run, sys.modules[__name__], activities=[bill])
    assert (is_large, amount, due) == (True, Decimal("0.1"), date(2026, 1, 1))
    assert text == (
        "['Card', 'Invoice'] ['a', 'b'] Thursday; ['Card'] ['word1', 'word2', 'word3'] Thursday"
    )


def test_k8_types_that_cannot_be_told_apart_are_refused_by_the_worker() -> None:
    @activity.defn
    async def doubtful(_when: str | date) -> None: ...

    with pytest.raises(TypeError, match=r"doubtful: .* look the same"):
        Worker("file:unused.db", activities=[doubtful])
