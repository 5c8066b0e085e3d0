"""Perdure: durable execution. Ordinary Python workflows that survive any crash."""

from perdure import activity, errors, schedule, workflow
from perdure._interceptor import (
    EndWorkflowCall,
    ExecuteActivityCall,
    Interceptor,
    SendMessageCall,
    StartWorkflowCall,
)
from perdure._registry import register_type
from perdure._workflow_interceptor import (
    ExecuteWorkflowCall,
    HandleMessageCall,
    ScheduleActivityCall,
    StartChildWorkflowCall,
    WorkflowInterceptor,
)
from perdure.client import Client, WorkflowHandle, WorkflowUpdateHandle
from perdure.converter import DataConverter, PayloadConverter
from perdure.id_policy import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from perdure.priority import Priority
from perdure.rate_limit import RateLimit
from perdure.retry import RetryPolicy
from perdure.search import SearchAttributeKey
from perdure.secrets import EnvironmentSecrets, Secret
from perdure.versioning import (
    VersioningBehavior,
    WorkerDeploymentConfig,
    WorkerDeploymentVersion,
)
from perdure.worker import NatsOptions, StdioService, Worker

__all__ = [
    "Client",
    "DataConverter",
    "EndWorkflowCall",
    "EnvironmentSecrets",
    "ExecuteActivityCall",
    "ExecuteWorkflowCall",
    "HandleMessageCall",
    "Interceptor",
    "NatsOptions",
    "PayloadConverter",
    "Priority",
    "RateLimit",
    "RetryPolicy",
    "ScheduleActivityCall",
    "SearchAttributeKey",
    "Secret",
    "SendMessageCall",
    "StartChildWorkflowCall",
    "StartWorkflowCall",
    "StdioService",
    "VersioningBehavior",
    "Worker",
    "WorkerDeploymentConfig",
    "WorkerDeploymentVersion",
    "WorkflowHandle",
    "WorkflowIDConflictPolicy",
    "WorkflowIDReusePolicy",
    "WorkflowInterceptor",
    "WorkflowUpdateHandle",
    "activity",
    "errors",
    "register_type",
    "schedule",
    "workflow",
]
