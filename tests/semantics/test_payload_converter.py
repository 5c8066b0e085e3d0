"""A payload converter: messages of a family of classes, everywhere that values travel."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from perdure import Client, DataConverter, PayloadConverter, Worker, activity, workflow
from perdure.converter import ChainCodec, ZlibCodec
from perdure.errors import (
    ApplicationError,
    EncodeError,
    WorkflowContinuedAsNewError,
    WorkflowParkedError,
)
from perdure.testing import (
    Replayer,
    ReplayVerdict,
    SyncWorkflowEnvironment,
    WorkflowEnvironment,
    WorkflowHistory,
)
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


class Message:
    """As generated from a .proto file: no dataclass, equal by its fields, bytes out and in."""

    NAME: ClassVar[str]

    def __init__(self, text: str = "") -> None:
        self.text = text

    def SerializeToString(self) -> bytes:  # noqa: N802
        return self.text.encode()[::-1]

    def ParseFromString(self, data: bytes) -> None:  # noqa: N802
        if data == b"?":
            raise WireError("truncated")
        self.text = data[::-1].decode()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"{self.NAME}({self.text!r})"


class WireError(Exception):
    """As of protobuf: no ValueError."""


class Order(Message):
    NAME = "shop.Order"


class Receipt(Message):
    NAME = "shop.Receipt"


@dataclass
class Note:
    """A dataclass that a team puts in an envelope with a version."""

    text: str

    VERSION: ClassVar[int] = 2


class Messages(PayloadConverter):
    def handles(self, cls: type[Any]) -> bool:
        return issubclass(cls, Message | Note)

    def to_payload_value(self, value: Any) -> Any:
        if isinstance(value, Note):
            return {"version": value.VERSION, "body": value.text}
        if value.text == "unsendable":
            raise WireError("unsendable")
        return {"message": value.NAME, "data": value.SerializeToString()}

    def from_payload_value(self, value: Any, hint: Any) -> Any:
        if hint is Note:
            return Note(value["body"] if value["version"] == 2 else value["old"])
        kinds = {each.NAME: each for each in (Order, Receipt)}
        kind = kinds[value["message"]]
        if not issubclass(kind, hint):
            raise ValueError(f"a {value['message']} is no {hint.NAME}")
        message = kind()
        message.ParseFromString(value["data"])
        return message


CONVERTER = DataConverter(payload_converter=Messages())
COMPRESSED = DataConverter(payload_converter=Messages(), payload_codec=ChainCodec(ZlibCodec()))


@activity.defn
async def pay(order: Order, notes: Sequence[Note]) -> Receipt:
    seen: Any = activity.info().heartbeat_details
    if seen is None:
        activity.heartbeat(order)
        raise ApplicationError("not yet", order, next_retry_delay=timedelta(0))
    return Receipt(f"{order.text} {notes[0].text} {sorted(seen)}")


@activity.defn
def pay_in_a_thread(order: Order) -> Receipt | None:
    return Receipt(order.text.upper())


@activity.defn(process_pool=True)
def pay_in_a_process(order: Order) -> Receipt:
    return Receipt(f"{type(order).__name__} {order.text}")


@activity.defn
async def either(value: Order | Receipt | str) -> Message:
    return value if isinstance(value, Message) else Order(value)


@workflow.defn
async def child(order: Order) -> Message:
    return Receipt(f"child of {order.text}")


@workflow.defn
class Shop:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self, order: Order, round_: int) -> dict[str, list[Message | Note]]:
        assert type(order) is Order
        receipt = await pay(order, [Note("quickly")])
        threaded = await pay_in_a_thread(order)
        local = await workflow.execute_local_activity(pay_in_a_thread, order)
        of_child = await workflow.execute_child_workflow(child, order)
        mixed = [await either(Order("a")), await either(Receipt("b")), await either("c")]
        await workflow.wait_condition(lambda: len(self.heard) == 2)
        if round_ == 0:
            workflow.continue_as_new(Order("second"), 1)
        assert threaded is not None
        assert local is not None
        return {"all": [receipt, threaded, local, of_child, *mixed, *self.heard]}

    @workflow.signal
    def hear(self, order: Order) -> None:
        self.heard.append(order)

    @workflow.update
    async def add(self, note: Note) -> Receipt:
        self.heard.append(note)
        return Receipt(note.text)

    @workflow.query
    def last(self, default: Order) -> Message:
        heard = [each for each in self.heard if isinstance(each, Message)]
        return heard[-1] if heard else default


async def _everywhere(client: Client) -> Any:
    first = await client.start_workflow(Shop.run, Order("first"), 0, id="s")
    await first.execute_update(Shop.add, Note("one"))
    await first.signal(Shop.hear, Order("two"))
    with pytest.raises(WorkflowContinuedAsNewError) as following:
        await first.result(follow_runs=False)
    second = await client.get_workflow_handle("s", run_id=following.value.next_run_id)
    seen = [
        await second.execute_update(Shop.add, Note("three")),
        await second.query(Shop.last, Order("none")),
    ]
    await second.signal(Shop.hear, Order("four"))
    return [*seen, *(await first.result())["all"]]


def test_messages_come_back_as_they_were_everywhere_three_ways() -> None:
    """Arguments, results, progress, signals, updates, queries, children, the next run, codecs."""
    activities = [pay, pay_in_a_thread, either]
    for converter in ("CONVERTER", "COMPRESSED"):
        assert three_ways(_everywhere, THIS, activities=activities, converter=converter) == [
            Receipt("three"),
            Order("none"),
            Receipt("second quickly ['data', 'message']"),
            Receipt("SECOND"),
            Receipt("SECOND"),
            Receipt("child of second"),
            Order("a"),
            Receipt("b"),
            Order("c"),
            Note("three"),
            Order("four"),
        ]


@workflow.defn
async def elsewhere(order: Order) -> Receipt:
    return await pay_in_a_process(order)


def test_activities_in_processes_have_the_converter(tmp_path: Path) -> None:
    async def run() -> Receipt:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}", data_converter=CONVERTER)
        async with Worker(client, workflows=[elsewhere], activities=[pay_in_a_process]):
            return await client.execute_workflow(elsewhere, Order("there"), id="e")

    assert asyncio.run(run()) == Receipt("Order there")


@workflow.defn
async def guarded(order: Order) -> Any:
    return await either(order)


def test_what_does_not_fit_is_told_where_it_is_sent_or_read() -> None:
    async def run() -> None:
        env = await WorkflowEnvironment.start_time_skipping(data_converter=CONVERTER)
        async with env, Worker(env.client, workflows=[guarded, child], activities=[either]):
            client = env.client
            with pytest.raises(EncodeError, match="Messages: WireError: unsendable"):
                await client.execute_workflow(guarded, Order("unsendable"), id="a")
            # By name there are no types: plain values come, and a fitting one may be sent.
            plain = {"message": "shop.Order", "data": b"ih"}
            assert await client.execute_workflow("guarded", plain, id="b") == plain
            wrong = await client.start_workflow("child", {"message": "shop.Receipt"}, id="c")
            with pytest.raises(WorkflowParkedError, match=r"a shop\.Receipt is no shop\.Order"):
                await wrong.result()
            broken = {"message": "shop.Order", "data": b"?"}
            wrong = await client.start_workflow("child", broken, id="d")
            with pytest.raises(WorkflowParkedError, match="WireError: truncated"):
                await wrong.result()

    asyncio.run(run())


def test_a_replayer_converts_too() -> None:
    with SyncWorkflowEnvironment.start_time_skipping(data_converter=CONVERTER) as env:
        with env.worker(workflows=[guarded], activities=[either]):
            handle = env.client.start_workflow(guarded, Order("x"), id="g")
            assert handle.result() == {"message": "shop.Order", "data": b"x"}
        history = WorkflowHistory.from_json(handle.fetch_history())

    async def verdict() -> ReplayVerdict:
        replayer = Replayer(workflows=[guarded], data_converter=CONVERTER)
        return (await replayer.replay_workflow(history)).verdict

    assert asyncio.run(verdict()) is ReplayVerdict.OK
