"""The functions of `temporalio.workflow` that tell the server what to do, by canonical name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants
from keel_lint.index.roles import ACTIVITY_CALLS
from keel_lint.jobs.temporal import WORKFLOW

if TYPE_CHECKING:
    from keel_lint.definition import Definition

ACTIVITIES = frozenset(f"{WORKFLOW}.{name}" for name in ACTIVITY_CALLS)
"""What runs an activity, local or not."""

STARTS = frozenset(name for name in ACTIVITIES if ".start_" in name)
"""What schedules an activity at once and gives a handle, without `await`."""

CHILDREN = frozenset({f"{WORKFLOW}.execute_child_workflow", f"{WORKFLOW}.start_child_workflow"})
"""What starts another workflow."""

COROUTINES = (ACTIVITIES - STARTS) | CHILDREN | {f"{WORKFLOW}.{name}" for name in ("sleep", "wait", "wait_condition")}
"""What does nothing at all until it is awaited."""

HANDLE_COROUTINES = re.compile(
    r"temporalio\.workflow\.(?:(?:get_external_workflow_handle(?:_for)?|ExternalWorkflowHandle)\.(?:cancel|signal)"
    r"|(?:start_child_workflow|ChildWorkflowHandle)\.signal"
    r"|(?:create_nexus_client|NexusClient)\.(?:execute|start)_operation)\Z"
)
"""Methods of handles, through what made the handle, that do nothing until awaited; `cancel` of a child is a task's."""

CLIENT_STARTS = re.compile(r"temporalio\.client\.Client\.(?:connect\.)?(?:execute|start)_workflow\Z")
"""What starts a workflow from outside."""

CONTINUE_AS_NEW = f"{WORKFLOW}.continue_as_new"

RETRIED_FOR_EVER = "the workflow task is retried for ever while the run looks Running"


def issues_commands(definition: Definition, root: cst.CSTNode) -> bool:
    """Whether code may tell the server something: it waits, starts a task, or calls a function that makes a command."""
    for node in descendants(root):
        if isinstance(node, cst.Await) or (isinstance(node, cst.For) and node.asynchronous is not None):
            return True
        if isinstance(node, cst.Call) and definition.called(node) in _MAKE_COMMANDS:
            return True
    return False


_MAKE_COMMANDS = STARTS | COROUTINES | {CONTINUE_AS_NEW, "asyncio.create_task", "asyncio.ensure_future", "asyncio.gather"}
