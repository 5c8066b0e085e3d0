"""Clients: start, find, await, cancel and terminate workflows."""

from perdure.client._client import Client
from perdure.client._handle import PendingActivity, WorkflowDescription, WorkflowHandle
from perdure.client._patches import PatchUsage, PatchVerdict
from perdure.client._schedules import ScheduleHandle
from perdure.client._sync import SyncClient, SyncWorkflowHandle

__all__ = [
    "Client",
    "PatchUsage",
    "PatchVerdict",
    "PendingActivity",
    "ScheduleHandle",
    "SyncClient",
    "SyncWorkflowHandle",
    "WorkflowDescription",
    "WorkflowHandle",
]
