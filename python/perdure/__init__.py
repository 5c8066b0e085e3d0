"""Perdure: durable execution. Ordinary Python workflows that survive any crash."""

from perdure import activity, errors, schedule, workflow
from perdure._interceptor import ExecuteActivityCall, Interceptor, StartWorkflowCall
from perdure._registry import register_type
from perdure.client import Client, WorkflowHandle, WorkflowUpdateHandle
from perdure.id_policy import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from perdure.priority import Priority
from perdure.retry import RetryPolicy
from perdure.search import SearchAttributeKey
from perdure.worker import NatsOptions, StdioService, Worker

__all__ = [
    "Client",
    "ExecuteActivityCall",
    "Interceptor",
    "NatsOptions",
    "Priority",
    "RetryPolicy",
    "SearchAttributeKey",
    "StartWorkflowCall",
    "StdioService",
    "Worker",
    "WorkflowHandle",
    "WorkflowIDConflictPolicy",
    "WorkflowIDReusePolicy",
    "WorkflowUpdateHandle",
    "activity",
    "errors",
    "register_type",
    "schedule",
    "workflow",
]
