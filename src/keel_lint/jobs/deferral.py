"""Which dispatches wait for the transaction to commit by themselves, and which tasks can be told to.

A base Task class of the project may override `delay` or `apply_async` so that the message is published on commit. `delay` calls
`apply_async`, and so does a signature. Source: https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keel_lint.index.tables import Calls

if TYPE_CHECKING:
    from keel_lint.jobs import Jobs
    from keel_lint.jobs.dispatches import Dispatch
    from keel_lint.jobs.tasks import Task

DJANGO_TASK = frozenset({"celery.contrib.django.task.DjangoTask", "celery.contrib.django.DjangoTask"})
FIRST_WITH_ON_COMMIT = (5, 4)


def is_deferred(jobs: Jobs, dispatch: Dispatch) -> bool:
    """Whether the dispatch waits for the commit: by its method, or because the base class of the task defers."""
    if dispatch.method.endswith("_on_commit"):
        return True
    if dispatch.method == "send_task":
        return False
    passes_delay = dispatch.method == "delay" and "()" not in dispatch.target
    methods = ("delay", "apply_async") if passes_delay else ("apply_async",)
    return any(_defers(jobs, dispatch.task, method) for method in methods) or _is_named_so(jobs, dispatch.task)


def has_on_commit(jobs: Jobs, dispatch: Dispatch) -> bool:
    """Whether the task has `delay_on_commit`: Celery is new enough and the task's class is its `DjangoTask`."""
    task = dispatch.task
    if jobs.version("celery").release < FIRST_WITH_ON_COMMIT or dispatch.method == "send_task" or "()" in dispatch.target:
        return False
    if task is None:
        return dispatch.is_unbound and not jobs.settings.task_classes
    if task.base is not None:
        return _is_django_task(jobs, *task.base)
    if task.opaque or "base" in task.given:
        return "base" in task.given and _names_django_task(task.given["base"].text)
    return all(_names_django_task(given.value) for given in jobs.settings.task_classes) or any(
        _is_django_task(jobs, *base) for base in jobs.tasks.application_bases()
    )


def _names_django_task(text: str) -> bool:
    return text.strip("\"'").replace(":", ".").rpartition(".")[2] == "DjangoTask"


def _is_django_task(jobs: Jobs, path: str, position: int) -> bool:
    return not DJANGO_TASK.isdisjoint(jobs.project.base_names(path, position))


def _defers(jobs: Jobs, task: Task | None, method: str) -> bool:
    """Whether the base classes override the method with one that registers something to be done on commit."""
    found = jobs.tasks.overriding(task, method)
    if found is None:
        return False
    facts = jobs.project.facts(found[0])
    body = facts.definitions[found[1]]
    inside = (call.callee.rpartition(".")[2].lower() for call in Calls.of(facts).within(body.start, body.end))
    return any("commit" in name and name != "commit" for name in inside)


def _is_named_so(jobs: Jobs, task: Task | None) -> bool:
    """Whether the base class cannot be read and its name says that it heeds transactions."""
    if task is None or not jobs.tasks.base_is_opaque(task):
        return False
    named = task.given["base"].text if task.base is None else " ".join(jobs.project.base_names(*task.base))
    return any(word in named.lower() for word in ("transaction", "commit"))
