"""Clients: start, find, await, cancel and terminate workflows."""

from perdure.client._async_activity import AsyncActivityHandle
from perdure.client._client import Client
from perdure.client._deployments import VersionUsage, WorkerDeployment, WorkerDeployments
from perdure.client._handle import PendingActivity, WorkflowDescription, WorkflowHandle
from perdure.client._patches import PatchUsage, PatchVerdict
from perdure.client._schedules import ScheduleHandle
from perdure.client._sync import (
    SyncAsyncActivityHandle,
    SyncClient,
    SyncWorkflowHandle,
    SyncWorkflowUpdateHandle,
)
from perdure.client._sync_deployments import SyncWorkerDeployments
from perdure.client._task_queues import TaskQueueDescription
from perdure.client._updates import WorkflowUpdateHandle

__all__ = [
    "AsyncActivityHandle",
    "Client",
    "PatchUsage",
    "PatchVerdict",
    "PendingActivity",
    "ScheduleHandle",
    "SyncAsyncActivityHandle",
    "SyncClient",
    "SyncWorkerDeployments",
    "SyncWorkflowHandle",
    "SyncWorkflowUpdateHandle",
    "TaskQueueDescription",
    "VersionUsage",
    "WorkerDeployment",
    "WorkerDeployments",
    "WorkflowDescription",
    "WorkflowHandle",
    "WorkflowUpdateHandle",
]
