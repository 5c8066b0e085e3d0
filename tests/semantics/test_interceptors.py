"""Headers and interceptors, from the client through the workflow to its activities."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from perdure import (
    Client,
    EndWorkflowCall,
    ExecuteActivityCall,
    ExecuteWorkflowCall,
    HandleMessageCall,
    Interceptor,
    ScheduleActivityCall,
    SendMessageCall,
    StartChildWorkflowCall,
    StartWorkflowCall,
    Worker,
    WorkflowInterceptor,
    activity,
    workflow,
)
from perdure.errors import (
    ActivityError,
    ApplicationError,
    NondeterminismError,
    WorkflowFailureError,
)
from perdure.testing import Replayer, WorkflowHistory
from tests.semantics.ways import three_ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@activity.defn
async def header(name: str) -> str | None:
    return activity.info().headers.get(name)


@activity.defn
def header_in_a_thread(name: str) -> str | None:
    return activity.info().headers.get(name)


@workflow.defn
async def headers_of(name: str) -> list[str | None]:
    own = workflow.info().headers.get(name)
    return [own, await header(name), await header_in_a_thread(name)]


ACTIVITIES = [header, header_in_a_thread]


def test_headers_reach_the_run_and_all_its_activities() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(headers_of, "tenant", headers={"tenant": "t-1"})

    seen = three_ways(scenario, sys.modules[__name__], activities=ACTIVITIES)
    assert seen == ["t-1", "t-1", "t-1"]


class Noting(Interceptor):
    def __init__(self, name: str, noted: list[str]) -> None:
        self.name = name
        self.noted = noted

    async def start_workflow(
        self, call: StartWorkflowCall, proceed: Callable[[StartWorkflowCall], Awaitable[str]]
    ) -> str:
        self.noted.append(f"{self.name} starts {call.workflow_type}")
        arguments = (f"{call.arguments[0]}{self.name}",)
        headers = {**call.headers, f"tenant{self.name}": self.name}
        return await proceed(replace(call, arguments=arguments, headers=headers))

    async def execute_activity(
        self, call: ExecuteActivityCall, proceed: Callable[[ExecuteActivityCall], Awaitable[Any]]
    ) -> Any:
        self.noted.append(f"{self.name} before {call.activity}")
        try:
            result = await proceed(call)
        finally:
            self.noted.append(f"{self.name} after {call.activity}")
        return f"{result}+{self.name}"


def test_interceptors_stand_around_starts_and_attempts_the_first_outermost() -> None:
    noted: list[str] = []

    async def scenario(folder: Path) -> Any:
        interceptors = [Noting("A", noted), Noting("B", noted)]
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=interceptors)
        own = Noting("C", noted)
        workers = Worker(client, workflows=[headers_of], activities=ACTIVITIES, interceptors=[own])
        async with workers:
            return await client.execute_workflow(headers_of, "tenant")

    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(scenario(Path(folder)))
    # The argument has become "tenantAB"; nobody has set that header.
    assert seen == [None, "None+C+B+A", "None+C+B+A"]
    around = [f"{each} before {{0}}" for each in "ABC"] + [f"{each} after {{0}}" for each in "CBA"]
    assert noted == [
        "A starts headers_of",
        "B starts headers_of",
        *(each.format("header") for each in around),
        *(each.format("header_in_a_thread") for each in around),
    ]


class Refusing(Interceptor):
    async def execute_activity(
        self, call: ExecuteActivityCall, proceed: Callable[[ExecuteActivityCall], Awaitable[Any]]
    ) -> Any:
        del proceed
        raise ApplicationError(f"no {call.activity} today", non_retryable=True)


@workflow.defn
async def refused() -> str:
    try:
        await header("x")
    except ActivityError as error:
        return str(error.cause)
    return "let through"


def test_what_an_interceptor_raises_fails_the_attempt() -> None:
    async def scenario(folder: Path) -> Any:
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=[Refusing()])
        async with Worker(client, workflows=[refused], activities=[header]):
            return await client.execute_workflow(refused)

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(scenario(Path(folder))) == "no header today"


@workflow.defn
async def with_child(name: str) -> list[str | None]:
    return await workflow.execute_child_workflow(headers_of, name)


def test_one_trace_from_the_client_through_the_activities() -> None:
    sdk: Any = pytest.importorskip("opentelemetry.sdk.trace")
    export: Any = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory: Any = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from perdure.contrib.opentelemetry import TracingInterceptor

    spans = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("test")

    async def scenario(folder: Path) -> Any:
        tracing = TracingInterceptor(tracer)
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=[tracing])
        worker = Worker(
            client,
            workflows=[with_child, headers_of],
            activities=ACTIVITIES,
            max_cached_workflows=0,
        )
        async with worker:
            with tracer.start_as_current_span("caller"):
                return await client.execute_workflow(with_child, "traceparent")

    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(scenario(Path(folder)))
    by_name = {span.name: span for span in spans.get_finished_spans()}
    # With nothing cached the workflow was replayed twice, and made no spans.
    assert len(spans.get_finished_spans()) == len(by_name) == 4
    start = by_name["StartWorkflow:with_child"]
    assert start.parent.span_id == by_name["caller"].context.span_id
    for name in ("RunActivity:header", "RunActivity:header_in_a_thread"):
        assert by_name[name].parent.span_id == start.context.span_id
        assert by_name[name].context.trace_id == by_name["caller"].context.trace_id
    parent = f"00-{start.context.trace_id:032x}-{start.context.span_id:016x}-"
    assert [each[: len(parent)] for each in seen] == [parent] * 3


class Person(WorkflowInterceptor):
    """Notes what happens in the run, and sends its name along with each call."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0

    async def execute_workflow(
        self,
        call: ExecuteWorkflowCall,
        proceed: Callable[[ExecuteWorkflowCall], Awaitable[Any]],
    ) -> Any:
        if call.workflow_type != "Noted":
            return await proceed(call)
        await workflow.sleep(0.01)
        result = await proceed(replace(call, arguments=(f"{call.arguments[0]}/{self.name}",)))
        return [*result, f"{self.name} saw {self.calls} calls"]

    async def handle_signal(
        self, call: HandleMessageCall, proceed: Callable[[HandleMessageCall], Awaitable[Any]]
    ) -> Any:
        # Durable work around a handler: it is workflow code.
        who = await header("person")
        return await proceed(replace(call, arguments=(f"{call.arguments[0]} of {who}",)))

    async def handle_update(
        self, call: HandleMessageCall, proceed: Callable[[HandleMessageCall], Awaitable[Any]]
    ) -> Any:
        return await proceed(call) * 10

    def handle_query(
        self, call: HandleMessageCall, proceed: Callable[[HandleMessageCall], Any]
    ) -> Any:
        return [self.name, *proceed(call)]

    def schedule_activity(self, call: ScheduleActivityCall) -> ScheduleActivityCall:
        self.calls += 1
        named = f"{call.headers.get('person', '')}{self.name}"
        options = replace(call.options, headers={"set in": "the options"})
        return replace(call, headers={**call.headers, "person": named}, options=options)

    def start_child_workflow(self, call: StartChildWorkflowCall) -> StartChildWorkflowCall:
        return replace(call, headers={**call.headers, "tenant": f"of {self.name}"})


class Named(Interceptor):
    def __init__(self, name: str) -> None:
        self.name = name

    def workflow_interceptor(self) -> WorkflowInterceptor:
        return Person(self.name)


@workflow.defn
class Noted:
    def __init__(self) -> None:
        self.notes: list[str] = []

    @workflow.run
    async def run(self, first: str) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.notes) == 2)
        return [
            first,
            *self.notes,
            await header("person"),
            await header.options(headers={"person": "me+"})("person"),
            await workflow.start_activity(header_in_a_thread, "set in"),
            await workflow.execute_child_workflow(headers_of, "tenant"),
        ]

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.update
    async def add(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)

    @workflow.query
    def noted(self) -> list[str]:
        return self.notes


def test_interceptors_stand_around_the_code_of_a_run_also_when_it_is_replayed() -> None:
    interceptors = [Named("A"), Named("B")]

    async def scenario(folder: Path, cached: int) -> list[Any]:
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=interceptors)
        workflows = [Noted, headers_of]
        async with Worker(
            client, workflows=workflows, activities=ACTIVITIES, max_cached_workflows=cached
        ):
            handle = await client.start_workflow(Noted.run, "x", id="noted")
            answers: list[Any] = [await handle.execute_update(Noted.add, "added")]
            await handle.signal(Noted.note, "signalled")
            answers.append(await handle.result())
            answers.append(await handle.query(Noted.noted))
            history = WorkflowHistory.from_json(await handle.fetch_history())
        replayer = Replayer(workflows=workflows, interceptors=interceptors)
        await replayer.replay_workflow(history)
        # Without them the code asks for something else: the first sleep is theirs.
        with pytest.raises(NondeterminismError):
            await Replayer(workflows=workflows).replay_workflow(history)
        return answers

    for cached in (0, 100):
        with tempfile.TemporaryDirectory() as folder:
            update, result, queried = asyncio.run(scenario(Path(folder), cached))
        assert update == 100
        assert result == [
            "x/A/B",
            "added",
            "signalled of AB of AB",
            "AB",
            "me+AB",
            "the options",
            ["of B", "of B", "of B"],
            "B saw 5 calls",
            "A saw 5 calls",
        ]
        assert queried == ["A", "B", "added", "signalled of AB of AB"]


class Listing(WorkflowInterceptor):
    """Lists what the run schedules."""

    def __init__(self) -> None:
        self.scheduled: list[str] = []

    def schedule_activity(self, call: ScheduleActivityCall) -> ScheduleActivityCall:
        self.scheduled.append(call.activity)
        return call

    async def execute_workflow(
        self,
        call: ExecuteWorkflowCall,
        proceed: Callable[[ExecuteWorkflowCall], Awaitable[Any]],
    ) -> Any:
        return [*await proceed(call), *self.scheduled]


class Lists(Interceptor):
    def workflow_interceptor(self) -> WorkflowInterceptor:
        return Listing()


@workflow.defn
async def in_a_session() -> list[Any]:
    async with workflow.session() as session:
        return [await session.execute_activity(header, "none")]


def test_what_holds_a_session_open_is_no_call_that_interceptors_see() -> None:
    async def scenario(folder: Path) -> Any:
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=[Lists()])
        async with Worker(client, workflows=[in_a_session], activities=[header]):
            return await client.execute_workflow(in_a_session)

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(scenario(Path(folder))) == [None, "header"]


class Asking(Interceptor):
    """Notes what a client sends, and changes it."""

    def __init__(self, noted: list[str]) -> None:
        self.noted = noted

    async def signal_workflow(
        self, call: SendMessageCall, proceed: Callable[[SendMessageCall], Awaitable[None]]
    ) -> None:
        self.noted.append(f"signal {call.name} to {call.workflow_id}")
        await proceed(replace(call, arguments=(f"{call.arguments[0]}!",)))

    async def query_workflow(
        self, call: SendMessageCall, proceed: Callable[[SendMessageCall], Awaitable[Any]]
    ) -> Any:
        self.noted.append(f"query {call.name}")
        return [*await proceed(call), "seen"]

    async def start_update(
        self, call: SendMessageCall, proceed: Callable[[SendMessageCall], Awaitable[Any]]
    ) -> Any:
        self.noted.append(f"update {call.name}")
        return await proceed(replace(call, arguments=(f"{call.arguments[0]}?",)))

    async def cancel_workflow(
        self, call: EndWorkflowCall, proceed: Callable[[EndWorkflowCall], Awaitable[None]]
    ) -> None:
        self.noted.append(f"cancel: {call.reason}")
        await proceed(call)

    async def terminate_workflow(
        self, call: EndWorkflowCall, proceed: Callable[[EndWorkflowCall], Awaitable[None]]
    ) -> None:
        self.noted.append(f"terminate: {call.reason}")
        await proceed(replace(call, reason=f"{call.reason}, said somebody"))


def test_interceptors_stand_around_what_a_client_sends() -> None:
    noted: list[str] = []

    async def scenario(folder: Path) -> tuple[Any, str]:
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=[Asking(noted)])
        async with Worker(client, workflows=[Noted, headers_of], activities=ACTIVITIES):
            handle = await client.start_workflow(Noted.run, "x", id="noted")
            await handle.execute_update(Noted.add, "a")
            await handle.cancel("enough")
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            again = await client.start_workflow(Noted.run, "x", id="noted")
            found = await client.get_workflow_handle("noted")
            assert found.run_id == again.run_id
            await found.signal(Noted.note, "b")
            seen = await found.query(Noted.noted)
            await client.execute_update_with_start(
                Noted.add, "c", workflow=Noted.run, workflow_args=["x"], id="noted"
            )
            assert await found.query(Noted.noted) == ["b!", "c?", "seen"]
            await found.terminate("now")
            with pytest.raises(WorkflowFailureError) as ended:
                await found.result()
            return seen, str(ended.value.cause)

    with tempfile.TemporaryDirectory() as folder:
        seen, reason = asyncio.run(scenario(Path(folder)))
    assert seen == ["b!", "seen"]
    assert "now, said somebody" in reason
    assert noted == [
        "update add",
        "cancel: enough",
        "signal note to noted",
        "query noted",
        "update add",
        "query noted",
        "terminate: now",
    ]


class Renaming(Interceptor):
    async def start_workflow(
        self, call: StartWorkflowCall, proceed: Callable[[StartWorkflowCall], Awaitable[str]]
    ) -> str:
        return await proceed(replace(call, workflow_id=f"t1-{call.workflow_id}"))


def test_a_handle_has_the_id_that_an_interceptor_gave() -> None:
    async def scenario(folder: Path) -> tuple[str, str]:
        client = await Client.connect(f"file:{folder / 'a.db'}", interceptors=[Renaming()])
        async with Worker(client, workflows=[headers_of], activities=ACTIVITIES):
            handle = await client.start_workflow(headers_of, "x", id="o-1")
            return handle.id, (await handle.describe()).workflow_id

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(scenario(Path(folder))) == ("t1-o-1", "t1-o-1")
