"""Why a definition can matter: the words that give it a role.

A role only says that the definition is worth a closer look; `jobs` decides what it really is.
"""

from __future__ import annotations

from functools import lru_cache

DISPATCHES = frozenset({"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "send_task"})
SIGNATURES = frozenset({"s", "si", "signature", "subtask"})
ACTIVITY_CALLS = frozenset(
    f"{verb}_{kind}{how}"
    for verb in ("execute", "start")
    for kind in ("activity", "local_activity")
    for how in ("", "_class", "_method")
)
WORKFLOW_STARTS = frozenset(
    {"execute_workflow", "start_workflow", "signal_with_start", "execute_child_workflow", "start_child_workflow"}
)
TASK_DECORATORS = frozenset({"task", "shared_task", "periodic_task"})
SETTINGS_CALLS = frozenset({"config_from_object", "Celery", "setup_celery"})
BEAT_CALLS = frozenset({"add_periodic_task", "crontab"})
LOWER_SETTINGS = frozenset({
    "accept_content", "beat_schedule", "broker_transport_options", "result_serializer", "task_always_eager", "task_annotations",
    "task_routes", "task_serializer",
})  # fmt: skip
"""Settings that rules judge where they stand, in Celery's own spelling."""

_CALL_ROLES: dict[str, str] = {
    **dict.fromkeys(DISPATCHES, "dispatch"),
    **dict.fromkeys(SIGNATURES, "signature"),
    **dict.fromkeys(ACTIVITY_CALLS, "activity-call"),
    **dict.fromkeys(WORKFLOW_STARTS, "workflow-start"),
    **dict.fromkeys(SETTINGS_CALLS, "settings"),
    **dict.fromkeys(BEAT_CALLS, "beat"),
    "AsyncResult": "result",
    "RetryPolicy": "retry-policy",
    "Worker": "worker",
    "on_commit": "on-commit",
}

KEPT_ARGUMENTS = frozenset({
    *_CALL_ROLES, *TASK_DECORATORS, "RunPython", "Thread", "Timer", "add_defaults", "async_to_sync", "atomic",
    "autodiscover_tasks", "begin", "connect", "database_sync_to_async", "from_mapping", "include", "on_commit", "partial",
    "path", "re_path", "register", "register_task", "run_in_executor", "run_in_threadpool", "run_sync", "submit",
    "sync_to_async", "to_thread", "update", "url",
})  # fmt: skip
"""Calls whose arguments the index keeps as text."""

_MANY = 8192
"""Names that are asked for again and again: most calls of a project are of few functions."""

KEPT_BUILTINS = frozenset({"filter", "map", "sorted", "reduce"})
"""The same, for calls of the bare name: as a method it means something else."""


@lru_cache(maxsize=_MANY)
def keeps_arguments(callee: str) -> bool:
    """Whether the index keeps the arguments of a call of this dotted name."""
    name = callee.rpartition(".")[2]
    return name in KEPT_ARGUMENTS or callee in KEPT_BUILTINS or makes_application(name)


def makes_application(name: str) -> bool:
    """Whether a call of this name can make a Celery application: a project's own class or factory."""
    return name.endswith(("Celery", "_celery", "_celery_app"))


@lru_cache(maxsize=_MANY)
def of_call(callee: str) -> str | None:
    """The role that a call of this dotted name gives to the definition round it."""
    owner, _, name = callee.rpartition(".")
    if name == "update" and (owner.endswith("conf") or of_target(owner) is not None):
        return "settings"
    role = _CALL_ROLES.get(name) or ("settings" if makes_application(name) else None)
    return role if owner or role not in {"dispatch", "signature"} else None


def of_decorator(canonical: str) -> str | None:
    """The role that a decorator gives to what it decorates; its first part was read through the file's imports."""
    owner, _, name = canonical.rpartition(".")
    if name == "defn":
        return owner.rpartition(".")[2] if owner.endswith(("workflow", "activity")) else None
    # A project's own decorator has any name; most say what they make.
    return "task" if "task" in name.lower() else None


def of_base(base: str) -> str | None:
    """The role that a base class of this name gives to a class."""
    return "task-class" if base.rpartition(".")[2].endswith("Task") else None


@lru_cache(maxsize=_MANY)
def of_target(target: str) -> str | None:
    """The role that an assignment to this dotted target gives to its statement."""
    owner, _, name = target.removesuffix("[]").rpartition(".")
    if name.startswith(("CELERY_", "CELERYD_", "CELERYBEAT_")) or owner.endswith("conf"):
        return "settings"
    if name == "CELERY" or name in LOWER_SETTINGS or name.endswith("BEAT_SCHEDULE"):
        return "settings"
    return "settings" if name == "conf" and owner else None
