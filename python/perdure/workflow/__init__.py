"""Workflows: plain coroutines that survive crashes, restarts, deploys and long sleeps."""

from perdure.workflow import unsafe
from perdure.workflow._activities import execute_activity, start_activity
from perdure.workflow._child_options import ChildWorkflowCancellationType, ParentClosePolicy
from perdure.workflow._children import (
    ChildWorkflowHandle,
    execute_child_workflow,
    start_child_workflow,
)
from perdure.workflow._compensations import Compensations, compensations
from perdure.workflow._continue_as_new import continue_as_new
from perdure.workflow._definition import WorkflowDefinition, defn, run
from perdure.workflow._external import ExternalWorkflowHandle, get_external_workflow_handle
from perdure.workflow._handle import ActivityHandle
from perdure.workflow._info import Info, ParentInfo
from perdure.workflow._local_activities import (
    execute_local_activity,
    start_local_activity,
    step,
)
from perdure.workflow._logger import logger
from perdure.workflow._patches import deprecate_patch, patched
from perdure.workflow._queries import query, set_dynamic_query_handler, set_query_handler
from perdure.workflow._search import memo, upsert_memo, upsert_search_attributes
from perdure.workflow._session import Session, session
from perdure.workflow._signals import (
    all_handlers_finished,
    set_dynamic_signal_handler,
    set_signal_handler,
    signal,
)
from perdure.workflow._updates import set_dynamic_update_handler, set_update_handler, update
from perdure.workflow._verbs import (
    info,
    last_failure,
    now,
    random,
    sleep,
    time,
    time_ns,
    uuid4,
    wait_condition,
)

__all__ = [
    "ActivityHandle",
    "ChildWorkflowCancellationType",
    "ChildWorkflowHandle",
    "Compensations",
    "ExternalWorkflowHandle",
    "Info",
    "ParentClosePolicy",
    "ParentInfo",
    "Session",
    "WorkflowDefinition",
    "all_handlers_finished",
    "compensations",
    "continue_as_new",
    "defn",
    "deprecate_patch",
    "execute_activity",
    "execute_child_workflow",
    "execute_local_activity",
    "get_external_workflow_handle",
    "info",
    "last_failure",
    "logger",
    "memo",
    "now",
    "patched",
    "query",
    "random",
    "run",
    "session",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "signal",
    "sleep",
    "start_activity",
    "start_child_workflow",
    "start_local_activity",
    "step",
    "time",
    "time_ns",
    "unsafe",
    "update",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "wait_condition",
]
