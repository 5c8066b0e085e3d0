"""Clients: start, find, await, cancel and terminate workflows."""

from perdure.client._client import Client
from perdure.client._handle import WorkflowDescription, WorkflowHandle

__all__ = ["Client", "WorkflowDescription", "WorkflowHandle"]
