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
    ExecuteActivityCall,
    Interceptor,
    StartWorkflowCall,
    Worker,
    activity,
    workflow,
)
from perdure.errors import ActivityError, ApplicationError
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
            client, workflows=[headers_of], activities=ACTIVITIES, max_cached_workflows=0
        )
        async with worker:
            with tracer.start_as_current_span("caller"):
                return await client.execute_workflow(headers_of, "traceparent")

    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(scenario(Path(folder)))
    by_name = {span.name: span for span in spans.get_finished_spans()}
    # With nothing cached the workflow was replayed twice, and made no spans.
    assert len(spans.get_finished_spans()) == len(by_name) == 4
    start = by_name["StartWorkflow:headers_of"]
    assert start.parent.span_id == by_name["caller"].context.span_id
    for name in ("RunActivity:header", "RunActivity:header_in_a_thread"):
        assert by_name[name].parent.span_id == start.context.span_id
        assert by_name[name].context.trace_id == by_name["caller"].context.trace_id
    parent = f"00-{start.context.trace_id:032x}-{start.context.span_id:016x}-"
    assert [each[: len(parent)] for each in seen] == [parent] * 3
