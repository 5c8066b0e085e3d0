"""Group I: versions of workers, with two of them in one process, and over redeploys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from perdure import (
    Client,
    VersioningBehavior,
    Worker,
    WorkerDeploymentConfig,
    WorkerDeploymentVersion,
    activity,
    workflow,
)
from perdure.client import VersionUsage
from perdure.errors import NoWorkerError, WorkflowUpdateFailedError

SECONDS_MAX = 60.0
TYPE = "order"
A, B = (WorkerDeploymentVersion("shop", build) for build in ("a", "b"))
PINNED, AUTO = VersioningBehavior.PINNED, VersioningBehavior.AUTO_UPGRADE


class Orders:
    """What both versions have."""

    def __init__(self) -> None:
        self.is_paid = False

    @workflow.signal
    def pay(self) -> None:
        self.is_paid = True

    @workflow.query
    def version(self) -> str:
        return type(self).__name__


@workflow.defn(name="kid")
async def kid_a() -> str:
    return "child of a"


@workflow.defn(name="kid")
async def kid_b() -> str:
    return "child of b"


@workflow.defn(name=TYPE)
class OrderA(Orders):
    @workflow.run
    async def run(self, again: bool = False) -> list[str]:
        first: str = await workflow.execute_activity("mark", result_type=str)
        await workflow.wait_condition(lambda: self.is_paid)
        if again:
            workflow.continue_as_new(False)
        kid: str = await workflow.execute_child_workflow("kid")
        return ["a", await workflow.execute_activity("mark", result_type=str), kid, first]


@workflow.defn(name=TYPE)
class OrderB(Orders):
    @workflow.run
    async def run(self, again: bool = False) -> list[str]:
        first: str = await workflow.execute_activity("mark", result_type=str)
        await workflow.wait_condition(lambda: self.is_paid)
        if again:
            workflow.continue_as_new(False)
        kid: str = await workflow.execute_child_workflow("kid")
        return ["b", await workflow.execute_activity("mark", result_type=str), kid, first]


@activity.defn(name="mark")
async def mark_a() -> str:
    return "marked by a"


@activity.defn(name="mark")
async def mark_b() -> str:
    return "marked by b"


A_ALL = ["a", "marked by a", "child of a", "marked by a"]
B_ALL = ["b", "marked by b", "child of b", "marked by b"]
BEGUN_BY_A = [*B_ALL[:3], "marked by a"]


def worker_of(client: Client, version: WorkerDeploymentVersion, behavior: Any) -> Worker:
    of_a = version == A
    workflows: list[Any] = [OrderA, kid_a] if of_a else [OrderB, kid_b]
    return Worker(
        client,
        workflows=workflows,
        activities=[mark_a if of_a else mark_b],
        deployment_config=WorkerDeploymentConfig(version, behavior),
    )


def run_with(
    folder: Path, behavior: VersioningBehavior, scenario: Callable[[Client, Any], Awaitable[None]]
) -> None:
    async def main() -> None:
        client = await Client.connect(f"file:{folder / 'app.db'}")

        @asynccontextmanager
        async def serve(*versions: WorkerDeploymentVersion) -> AsyncGenerator[list[Worker]]:
            workers = [worker_of(client, version, behavior) for version in versions]
            for worker in workers:
                await worker.__aenter__()
            try:
                yield workers
            finally:
                for worker in workers:
                    await worker.shutdown()

        await scenario(client, serve)

    asyncio.run(asyncio.wait_for(main(), SECONDS_MAX))


async def begin(client: Client, workflow_id: str, *arguments: Any) -> Any:
    handle = await client.start_workflow(TYPE, *arguments, id=workflow_id)
    await handle.query("version")
    return handle


async def pay(client: Client, workflow_id: str) -> list[str]:
    handle = await client.get_workflow_handle(workflow_id)
    await handle.signal("pay")
    result: list[str] = await handle.result()
    return result


def test_i7_pinned_runs_stay_and_new_ones_take_the_current_version(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        deployments = client.worker_deployments
        async with serve(A, B):
            assert await deployments.set_current_version(A) is None
            await begin(client, "old")
            assert await deployments.set_current_version(B) == A
            await begin(client, "new")
            usage = (await deployments.describe("shop")).versions
            assert usage == (VersionUsage(A, 1, 0, False), VersionUsage(B, 1, 0, True))
            assert [each.is_drained for each in usage] == [False, False]
            # What Perdure itself runs is found only by name.
            assert [run.workflow_id async for run in client.list_workflows()] == ["new", "old"]
            assert await client.count_workflows() == 2
            system = 'WorkflowType STARTS_WITH "perdure."'
            assert await client.count_workflows(system) == 1
            # Its activity and its child are of its version, too.
            assert await pay(client, "old") == A_ALL
            assert await pay(client, "new") == B_ALL
            described = await deployments.describe("shop")
            assert (described.current_version, described.ramping_version) == (B, None)
            assert described.versions == (VersionUsage(B, 0, 0, True),)
            assert not described.versions[0].is_drained
            assert [each.name async for each in deployments.list()] == ["shop"]

    run_with(tmp_path, PINNED, scenario)


def test_i7_runs_that_move_on_are_replayed_by_the_current_version(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with serve(A, B):
            await client.worker_deployments.set_current_version(A)
            handle = await begin(client, "o-1")
            await client.worker_deployments.set_current_version(B)
            assert await pay(client, "o-1") == BEGUN_BY_A
            history = await handle.fetch_history()
            changes = [line for line in history.splitlines() if '"version_changed"' in line]
            assert len(changes) == 1
            assert '"deployment":{"deployment":"shop","build_id":"b","pinned":false}' in changes[0]

    run_with(tmp_path, AUTO, scenario)


def test_i7_a_pinned_run_waits_over_a_redeploy_and_says_for_what(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with serve(A):
            await client.worker_deployments.set_current_version(A)
            await begin(client, "o-1")
        async with serve(B):
            await client.worker_deployments.set_current_version(B)
            handle = await client.get_workflow_handle("o-1")
            await handle.signal("pay")
            with pytest.raises(NoWorkerError, match="no worker of version shop:a"):
                await handle.result()
            described = await handle.describe()
            assert "pinned to it" in str(described.park_reason)
            assert (await client.worker_deployments.describe("shop")).versions == (
                VersionUsage(A, 1, 0, False),
                VersionUsage(B, 0, 0, True),
            )
        async with serve(A, B):
            assert await (await client.get_workflow_handle("o-1")).result() == A_ALL

    run_with(tmp_path, PINNED, scenario)


def test_i7_a_run_that_waits_is_moved(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with serve(A):
            await begin(client, "to-b")
            await begin(client, "on")
        async with serve(B):
            await client.worker_deployments.set_current_version(B)
            to_b, moving = [await client.get_workflow_handle(each) for each in ("to-b", "on")]
            await to_b.update_options(versioning_override=B)
            await moving.update_options(versioning_override=AUTO)
            attributes = (await moving.describe()).search_attributes
            assert attributes["PerdureVersioningOverride"] == "auto_upgrade"
            assert await pay(client, "to-b") == BEGUN_BY_A
            assert await pay(client, "on") == BEGUN_BY_A
            with pytest.raises(ValueError, match="pinned to what"):
                await moving.update_options(versioning_override=PINNED)
            history = await to_b.fetch_history()
            assert '"options_updated"' in history

    run_with(tmp_path, PINNED, scenario)


def test_i7_a_live_run_is_moved_back_and_forth(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with serve(A, B):
            handle = await begin(client, "o-1")
            for version in (A, B, A):
                await handle.update_options(versioning_override=version)
            assert await handle.query("version") == "OrderA"
            assert await pay(client, "o-1") == [*A_ALL[:3], "marked by b"]

    run_with(tmp_path, AUTO, scenario)


def test_i7_what_follows_a_pinned_run_stays_with_it(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with serve(A, B):
            await client.worker_deployments.set_current_version(A)
            handle = await begin(client, "o-1", True)
            await client.worker_deployments.set_current_version(B)
            await handle.signal("pay")
            following = await client.get_workflow_handle("o-1")
            while following.run_id == handle.run_id:
                following = await client.get_workflow_handle("o-1")
            assert await pay(client, "o-1") == A_ALL

    run_with(tmp_path, PINNED, scenario)


def test_i7_a_share_of_new_runs_goes_to_the_version_that_ramps_up(tmp_path: Path) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        deployments = client.worker_deployments
        ids = [f"o-{number}" for number in range(40)]
        async with serve(A, B):
            await deployments.set_current_version(A)
            with pytest.raises(WorkflowUpdateFailedError, match="0 to 100"):
                await deployments.set_ramping_version(B, percentage=101)
            await deployments.set_ramping_version(B, percentage=30)
            for each in ids:
                await begin(client, each)
            first = {each: (await pay(client, each))[0] for each in ids}
            assert 4 <= list(first.values()).count("b") <= 20
            # The same id goes the same way, and only more of them go to what ramps further.
            await deployments.set_ramping_version(B, percentage=60)
            second = {each: (await _again(client, each))[0] for each in ids}
            assert all(second[each] == "b" for each in ids if first[each] == "b")
            assert list(second.values()).count("b") > list(first.values()).count("b")
            described = await deployments.describe("shop")
            assert (described.ramping_version, described.ramping_percentage) == (B, 60.0)
            await deployments.set_current_version(B)
            assert (await deployments.describe("shop")).ramping_version is None

    run_with(tmp_path, AUTO, scenario)


async def _again(client: Client, workflow_id: str) -> list[str]:
    await begin(client, workflow_id)
    return await pay(client, workflow_id)


def test_i7_without_versions_nothing_changes_and_versioned_workers_take_over(
    tmp_path: Path,
) -> None:
    async def scenario(client: Client, serve: Any) -> None:
        async with Worker(client, workflows=[OrderA, kid_a], activities=[mark_a]):
            handle = await begin(client, "o-1")
            assert "deployment" not in await handle.fetch_history()
        async with serve(B):
            assert await pay(client, "o-1") == BEGUN_BY_A
            attributes = (await handle.describe()).search_attributes
            assert attributes["PerdureDeploymentVersion"] == "shop:b"

    run_with(tmp_path, AUTO, scenario)


def test_names_of_versions() -> None:
    assert WorkerDeploymentVersion.parse("shop:1.2") == WorkerDeploymentVersion("shop", "1.2")
    for wrong in ("shop", ":1", "shop:", "shop:1:2"):
        with pytest.raises(ValueError, match="without a colon"):
            WorkerDeploymentVersion.parse(wrong)
    assert WorkerDeploymentConfig(A).default_versioning_behavior is AUTO
