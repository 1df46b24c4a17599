"""The project under judgement, imported in the child process: its workflow, its activities, and stand-ins for what it lacks."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tests.proofs.temporal.observation import Act, Scenario

FOREVER = -1


class Stage:
    """A folder of Python files, of which the workflow's own and those with activities are imported."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.folder, self.scenario = folder, scenario
        self.calls: Counter[str] = Counter()
        sys.path.insert(0, str(folder))
        self.watch()
        files = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
        self.files = files
        self.workflow: type | None = self.named(f"class {scenario.workflow}") if scenario.workflow else None
        self.program = self.named(f"def {scenario.program}(") if scenario.program else None
        self.start = self.named(f"def {scenario.start}(") if scenario.start else None
        modules = [self.load(path) for path, text in files.items() if "activity.defn" in text]
        self.activities = {definition.name: function for function, definition in _activities(modules) if definition.name}

    def named(self, head: str) -> Any:
        """What a file of the project defines with such words."""
        home = next(path for path, text in self.files.items() if re.search(rf"^(async )?{re.escape(head)}", text, re.MULTILINE))
        return getattr(self.load(home), head.strip("(").rpartition(" ")[2])

    def load(self, path: Path) -> ModuleType:
        """Import a file of the project under its dotted name."""
        return importlib.import_module(".".join(path.relative_to(self.folder).with_suffix("").parts))

    def behave(self, name: str, attempt: int) -> Any:
        """What a stand-in does at an attempt."""
        act = self.scenario.acts.get(name, Act())
        if act.failures == FOREVER or attempt <= act.failures:
            raise ApplicationError(f"{name} does not work", type=act.error, non_retryable=act.final)
        return act.returns

    async def run_activity(self, name: str, args: list[Any], attempt: int) -> Any:
        """Run an activity here, outside any worker."""
        function = None if name in self.scenario.acts else self.activities.get(name)
        if function is None:
            return self.behave(name, attempt)
        result = ActivityEnvironment().run(function, *args)
        return await result if inspect.isawaitable(result) else result

    def hints(self, name: str) -> list[type] | None:
        """The types of an activity's parameters, where they are known."""
        function = self.activities.get(name)
        return activity._Definition.must_from_callable(function).arg_types if function is not None else None

    # -- counting calls ---------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Count the calls of the functions that the scenario watches, in every thread from now on."""
        if self.scenario.watch:
            threading.setprofile(self.called)
            sys.setprofile(self.called)

    def called(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_name in self.scenario.watch and self.is_ours(code) and _begins(frame):
            self.calls[code.co_name] += 1

    def is_ours(self, code: CodeType) -> bool:
        return code.co_filename.startswith(str(self.folder))


def _begins(frame: FrameType) -> bool:
    """Whether a call enters a function, rather than resuming a coroutine."""
    return frame.f_lasti <= next((offset for offset, _, line in frame.f_code.co_lines() if line), 0) + 4


def _activities(modules: list[ModuleType]) -> Iterator[tuple[Callable[..., Any], activity._Definition]]:
    """The functions that are activities, and the methods of classes that can be made without arguments."""
    values = {id(value): value for module in modules for value in vars(module).values()}.values()
    functions = [value for value in values if inspect.isfunction(value)]
    classes = [value for value in values if inspect.isclass(value)]
    methods = [(cls, name) for cls in classes for name, value in vars(cls).items() if activity._Definition.from_callable(value)]
    for function in (*functions, *(getattr(cls(), name) for cls, name in methods)):
        definition = activity._Definition.from_callable(function)
        if definition is not None:
            yield function, definition


def definition_name(cls: type) -> str:
    """The type under which a workflow is registered."""
    return workflow._Definition.must_from_class(cls).name or cls.__name__
