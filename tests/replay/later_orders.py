"""Later releases of a workflow that asks things of other runs."""

from __future__ import annotations

from perdure import workflow

NAME = "order"


@workflow.defn
async def pack(order: str, boxes: int) -> str:
    return f"{order} in {boxes}"


@workflow.defn
class Stock:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(3_600)

    @workflow.signal
    def take(self, count: int) -> None: ...

    @workflow.signal
    def give(self, count: int) -> None: ...


@workflow.defn(name=NAME)
async def recorded(order: str) -> str:
    packed = await workflow.execute_child_workflow(pack, order, 2)
    stock = workflow.get_external_workflow_handle("stock")
    await stock.signal(Stock.take, 2)
    await stock.cancel()
    return packed


@workflow.defn(name=NAME)
async def other_child(order: str) -> None:
    await workflow.execute_child_workflow(Stock.run)


@workflow.defn(name=NAME)
async def other_arguments(order: str) -> str:
    return await workflow.execute_child_workflow(pack, order, 3, id="packing")


@workflow.defn(name=NAME)
async def other_signal(order: str) -> str:
    packed = await workflow.execute_child_workflow(pack, order, 2)
    stock = workflow.get_external_workflow_handle("stock")
    await stock.signal(Stock.give, 2)
    return packed


@workflow.defn(name=NAME)
async def other_count(order: str) -> str:
    packed = await workflow.execute_child_workflow(pack, order, 2)
    stock = workflow.get_external_workflow_handle("stock")
    await stock.signal(Stock.take, 3)
    return packed


@workflow.defn(name=NAME)
async def other_target(order: str) -> str:
    packed = await workflow.execute_child_workflow(pack, order, 2)
    stock = workflow.get_external_workflow_handle("stock")
    await stock.signal(Stock.take, 2)
    await workflow.get_external_workflow_handle("store").cancel()
    return packed


@workflow.defn(name=NAME)
async def without_signal(order: str) -> str:
    packed = await workflow.execute_child_workflow(pack, order, 2)
    stock = workflow.get_external_workflow_handle("stock")
    await stock.cancel()
    return packed


@workflow.defn(name=NAME)
async def signals_first(order: str) -> str:
    stock = workflow.get_external_workflow_handle("stock")
    await stock.signal(Stock.give, 2)
    return await workflow.execute_child_workflow(pack, order, 2)
