"""The loads: workflows and activities that do as little as they can."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from perdure import activity, workflow

__all__ = [
    "Line",
    "Order",
    "appended",
    "empty",
    "fan_out",
    "grows",
    "increment",
    "local_sequential",
    "orders",
    "priced",
    "sequential",
    "sleeping_length",
    "sleeps",
]

_YEAR_S = 365 * 86_400


@activity.defn
async def increment(number: int) -> int:
    return number + 1


@workflow.defn
async def sequential(steps: int) -> int:
    return await sequential_steps(steps)


@workflow.defn
async def local_sequential(steps: int) -> int:
    total = 0
    for _ in range(steps):
        total = await workflow.execute_local_activity(increment, total)
    return total


@workflow.defn
async def fan_out(width: int) -> int:
    return sum(await asyncio.gather(*(increment(number) for number in range(width))))


@dataclass
class Line:
    product: str
    count: int
    price: float


@dataclass
class Order:
    customer: str
    lines: list[Line]
    note: str | None = None


@activity.defn
async def priced(order: Order) -> Order:
    lines = [Line(line.product, line.count + 1, line.price) for line in order.lines]
    return Order(order.customer, lines, order.note)


@workflow.defn
async def orders(steps: int) -> int:
    order = Order("Ada", [Line("tea", 0, 3.5), Line("cup", 0, 12.0)])
    for _ in range(steps):
        order = await priced(order)
    return order.lines[0].count


@activity.defn
async def appended(context: list[str]) -> str:
    del context
    return "x" * 5_000


@workflow.defn
async def grows(steps: int) -> int:
    """An agent's context: every step gets all of what came before, up to 1 MiB."""
    context: list[str] = []
    for _ in range(steps):
        context.append(await appended(context))
    return len(context)


@workflow.defn
async def empty() -> None:
    return


@workflow.defn
async def sleeps(steps: int) -> None:
    await sequential_steps(steps)
    await asyncio.sleep(_YEAR_S)


def sleeping_length(steps: int) -> int:
    """How many records a run of `sleeps` has when it sleeps: start, two a step, the timer."""
    return 2 * steps + 2


async def sequential_steps(steps: int) -> int:
    total = 0
    for _ in range(steps):
        total = await increment(total)
    return total
