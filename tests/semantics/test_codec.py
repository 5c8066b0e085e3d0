"""N: payload codecs: what the store holds, what replay compares, and what happens without a key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, DataConverter, Worker, activity, workflow
from perdure.converter import AesGcmCodec, ChainCodec, PayloadCodec, ZlibCodec
from perdure.errors import (
    ApplicationError,
    PayloadCodecError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowParkedError,
)
from perdure.testing import Replayer, ReplayVerdict, WorkflowHistory
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
PRIVATE = "Maria-Musterfrau-4711"
OLD, NEW = b"o" * 32, b"n" * 32
ENCRYPTED = DataConverter(
    payload_codec=ChainCodec(ZlibCodec(threshold=200), AesGcmCodec({"k1": OLD}, current="k1"))
)


@activity.defn(errors=[ApplicationError])
async def greet(name: str, times: int) -> str:
    seen: Any = activity.info().heartbeat_details
    if seen is None:
        activity.heartbeat({"name": name})
        raise ApplicationError("not yet", {"name": name}, next_retry_delay=timedelta(0))
    return f"{name} {seen['name']} " * times


@workflow.defn
class Everything:
    """Passes a private text through every kind of payload."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, name: str, round_: int) -> list[str]:
        workflow.upsert_memo({"name": name, "round": round_})
        greeting = await greet(name, 20)
        child = await workflow.execute_child_workflow(echo, name)
        await workflow.wait_condition(lambda: bool(self.heard))
        if round_ == 0:
            workflow.continue_as_new(name, 1)
        return [greeting, child, *self.heard, workflow.memo()["name"]]

    @workflow.signal
    def hear(self, name: str) -> None:
        self.heard.append(name)

    @workflow.query
    def told(self, more: str) -> str:
        return "".join([*self.heard, more])

    @workflow.update
    async def add(self, name: str) -> str:
        self.heard.append(name)
        return f"added {name}"


@workflow.defn
async def echo(name: str) -> str:
    return name


@workflow.defn
async def fails(name: str) -> None:
    raise ApplicationError("it failed", name, type="Private")


async def _everything(client: Client) -> Any:
    handle = await client.start_workflow(
        Everything.run, PRIVATE, 0, id="all", memo={"first": PRIVATE}
    )
    await handle.signal(Everything.hear, PRIVATE)
    with pytest.raises(WorkflowContinuedAsNewError) as next_one:
        await handle.result(follow_runs=False)
    again = await client.get_workflow_handle("all", run_id=next_one.value.next_run_id)
    answer = await again.execute_update(Everything.add, PRIVATE)
    asked = await again.query(Everything.told, PRIVATE)
    failed = await client.start_workflow(fails, PRIVATE, id="fails")
    with pytest.raises(WorkflowFailureError) as caught:
        await failed.result()
    assert isinstance(caught.value.__cause__, ApplicationError)
    described = await again.describe()
    assert PRIVATE.encode() not in _stored(client.path)
    return [
        answer,
        asked,
        await again.result(),
        caught.value.__cause__.details,
        dict(described.memo),
    ]


def _stored(path: Path) -> bytes:
    """Every byte that lies beside the store."""
    files = [each for each in path.parent.iterdir() if each.is_file()]
    return b"".join(each.read_bytes() for each in files)


def test_n1_what_is_encoded_is_the_same_three_ways_and_nowhere_in_the_store() -> None:
    """Arguments, results, progress, failures, signals, updates, queries, memos, the next run."""
    outcome = three_ways(_everything, THIS, activities=[greet], converter="ENCRYPTED")
    greeting = f"{PRIVATE} {PRIVATE} " * 20
    assert outcome[0] == f"added {PRIVATE}"
    assert outcome[1] == PRIVATE * 2
    assert outcome[2] == [greeting, PRIVATE, PRIVATE, PRIVATE]
    assert outcome[3] == (PRIVATE,)
    assert outcome[4]["name"] == PRIVATE


def _converter(keys: dict[str, bytes], current: str) -> DataConverter:
    return DataConverter(payload_codec=AesGcmCodec(keys, current=current))


async def _hosted(path: Path, converter: DataConverter | None) -> tuple[Client, Worker]:
    client = await Client.connect(f"file:{path}", data_converter=converter)
    return client, Worker(client, workflows=[Everything, echo], activities=[greet])


async def _n2_a_store_may_hold_plain_payloads_and_those_of_two_keys(tmp_path: Path) -> Any:
    path = tmp_path / "app.db"
    client, worker = await _hosted(path, None)
    async with worker:
        handle = await client.start_workflow(Everything.run, "plain", 1, id="a")
        assert await handle.query(Everything.told, "?") == "?"
    _, worker = await _hosted(path, _converter({"old": OLD}, "old"))
    async with worker:
        await handle.execute_update(Everything.add, "first")
        second = await client.start_workflow(echo, "second", id="b")
        assert await second.result() == "second"
    _, worker = await _hosted(path, _converter({"old": OLD, "new": NEW}, "new"))
    async with worker:
        assert (await handle.result())[2:] == ["first", "plain"]
        assert await second.result() == "second"
    return [key in _stored(path) for key in (b"key old", b"key new")]


def test_n2_a_store_may_hold_plain_payloads_and_those_of_two_keys(tmp_path: Path) -> None:
    """A run that began without a codec goes on with one, and on with another key."""
    assert asyncio.run(_n2_a_store_may_hold_plain_payloads_and_those_of_two_keys(tmp_path)) == [
        True,
        True,
    ]


async def _n3_a_missing_key_parks_the_run_and_names_itself(tmp_path: Path) -> Any:
    path = tmp_path / "app.db"
    client, worker = await _hosted(path, _converter({"2026-11": OLD}, "2026-11"))
    async with worker:
        handle = await client.start_workflow(Everything.run, PRIVATE, 1, id="a")
        assert await handle.query(Everything.told, "?") == "?"
    _, worker = await _hosted(path, _converter({"2026-12": NEW}, "2026-12"))
    async with worker:
        await handle.signal(Everything.hear, "later")
        with pytest.raises(WorkflowParkedError, match="aes-gcm, key 2026-11"):
            await handle.result()
    both = _converter({"2026-11": OLD, "2026-12": NEW}, "2026-12")
    _, worker = await _hosted(path, both)
    async with worker:
        await handle.unpark()
        return (await handle.result())[2:]


def test_n3_a_missing_key_parks_the_run_and_names_itself(tmp_path: Path) -> None:
    """Law 7: nothing is lost, and the run goes on once the key is there."""
    assert asyncio.run(_n3_a_missing_key_parks_the_run_and_names_itself(tmp_path)) == [
        "later",
        PRIVATE,
    ]


class Broken(PayloadCodec):
    """Works until it is told not to."""

    name = "broken"
    fails = False

    def encode(self, payloads: Sequence[bytes]) -> list[bytes]:
        if self.fails:
            raise OSError("the key service is gone")
        return [payload[::-1] for payload in payloads]

    def decode(self, payloads: Sequence[bytes]) -> list[bytes]:
        return [payload[::-1] for payload in payloads]


async def _n4_what_cannot_be_encoded_is_not_written_and_nothing_is_lost(
    tmp_path: Path,
) -> Any:
    path, codec = tmp_path / "app.db", Broken()
    client, worker = await _hosted(path, DataConverter(payload_codec=codec))
    async with worker:
        handle = await client.start_workflow(Everything.run, PRIVATE, 1, id="a")
        assert await handle.query(Everything.told, "?") == "?"
        codec.fails = True
        with pytest.raises(PayloadCodecError, match="the key service is gone"):
            await handle.signal(Everything.hear, PRIVATE)
        with pytest.raises(PayloadCodecError, match="the key service is gone"):
            await client.start_workflow(echo, PRIVATE, id="b")
        codec.fails = False
        await handle.signal(Everything.hear, PRIVATE)
        # The activity may have ended meanwhile: then its run was parked.
        await handle.unpark()
        result = await handle.result()
    assert PRIVATE.encode() not in _stored(path)
    return result[2:]


def test_n4_what_cannot_be_encoded_is_not_written_and_nothing_is_lost(tmp_path: Path) -> None:
    """Its sender is told why; the worker and the run go on."""
    assert asyncio.run(_n4_what_cannot_be_encoded_is_not_written_and_nothing_is_lost(tmp_path)) == [
        PRIVATE,
        PRIVATE,
    ]


def test_n5_an_altered_payload_is_refused() -> None:
    """AES-GCM authenticates: a flipped bit is no other value."""
    codec = AesGcmCodec({"k1": OLD}, current="k1")
    (encoded,) = codec.encode([b"\x01"])
    for place in range(len(encoded)):
        altered = bytearray(encoded)
        altered[place] ^= 1
        with pytest.raises(PayloadCodecError):
            codec.decode([bytes(altered)])
    with pytest.raises(PayloadCodecError, match="'k1'"):
        AesGcmCodec({"k1": NEW}, current="k1").decode([encoded])
    assert codec.decode([encoded]) == [b"\x01"]


async def _n6_a_replayer_needs_the_codec_too(tmp_path: Path) -> Any:
    path = tmp_path / "app.db"
    client, worker = await _hosted(path, ENCRYPTED)
    async with worker:
        handle = await client.start_workflow(echo, PRIVATE, id="a")
        await handle.result()
        text = await handle.fetch_history()
        assert PRIVATE not in text
        assert PRIVATE in await handle.fetch_history(decoded=True)
    history = WorkflowHistory.from_json(text)
    with_codec = Replayer(workflows=[echo], data_converter=ENCRYPTED)
    with pytest.raises(WorkflowParkedError, match="aes-gcm, key k1"):
        await Replayer(workflows=[echo]).replay_workflow(history)
    return (await with_codec.replay_workflow(history)).verdict


def test_n6_a_replayer_needs_the_codec_too(tmp_path: Path) -> None:
    """Without it, the verdict says what the history is encoded with."""
    assert asyncio.run(_n6_a_replayer_needs_the_codec_too(tmp_path)) == ReplayVerdict.OK
