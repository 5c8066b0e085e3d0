"""A workflow as it was recorded, and what became of it in later releases under the same name."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from perdure import activity, workflow

FEE = {"amount": 5}
NAME = "checkout"


@dataclass
class Order:
    id: str
    amount: int


@activity.defn
async def price(order: str) -> int:
    return len(order) * 100


@activity.defn
async def charge(order: Order) -> str:
    return f"{order.id}:{order.amount}"


@activity.defn
async def refund(order: Order) -> str:
    return f"{order.id}:-{order.amount}"


@workflow.defn(name=NAME)
async def recorded(order: str) -> dict[str, int]:
    total = await price(order) + FEE["amount"]
    await asyncio.sleep(0.001)
    await charge(Order(order, total))
    return {"total": total}


@workflow.defn(name=NAME)
async def longer_sleep(order: str) -> dict[str, int]:
    print("this must not come between the results")
    total = await price(order) + FEE["amount"]
    await asyncio.sleep(3_600)
    await charge(Order(order, total))
    return {"total": total}


@workflow.defn(name=NAME)
async def other_activity(order: str) -> dict[str, int]:
    total = await price(order) + FEE["amount"]
    await asyncio.sleep(0.001)
    await refund(Order(order, total))
    return {"total": total}


@workflow.defn(name=NAME)
async def other_argument(order: str) -> dict[str, int]:
    total = await price(order) + FEE["amount"]
    await asyncio.sleep(0.001)
    await workflow.start_activity(charge, Order(order, total + 1))
    return {"total": total}


@workflow.defn(name=NAME)
async def no_sleep(order: str) -> dict[str, int]:
    total = await price(order) + FEE["amount"]
    await charge(Order(order, total))
    return {"total": total}


@workflow.defn(name=NAME)
async def other_result(order: str) -> dict[str, int]:
    total = await price(order) + FEE["amount"]
    await asyncio.sleep(0.001)
    await charge(Order(order, total))
    return {"total": total * 2}


@workflow.defn(name=NAME)
async def sleeps_at_once(order: str) -> dict[str, int]:
    total, _ = await asyncio.gather(price(order), asyncio.sleep(60))
    return {"total": total}


@workflow.defn(name=NAME)
async def waits_for_ever(order: str) -> dict[str, int]:
    await price(order)
    await asyncio.Event().wait()
    return {}


@workflow.defn(name=NAME)
async def fails(order: str) -> dict[str, int]:
    await price(order)
    raise asyncio.TimeoutError("too late")


@workflow.defn(name=NAME)
async def takes_back(order: str) -> dict[str, int]:
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await price(order)
    return {}


@workflow.defn(name=NAME)
async def keeps(order: str) -> dict[str, int]:
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    await price(order)
    return {"tasks": [task].index(task)}


@workflow.defn(name=NAME)
async def buggy(order: str) -> dict[str, int]:
    return {"total": await price(order) // 0}


@workflow.defn(name=NAME)
async def ends_the_process(order: str) -> dict[str, int]:
    await price(order)
    os._exit(7)


@workflow.defn
async def approval(needed: int) -> int:
    await asyncio.Event().wait()
    return needed
