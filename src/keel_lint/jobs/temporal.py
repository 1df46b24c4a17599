"""Temporal workflows and activities."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from keel_lint.index.tables import Calls
from keel_lint.jobs.values import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.index.facts import Definition, Import
    from keel_lint.project import Project

WORKFLOW = "temporalio.workflow"
ACTIVITY = "temporalio.activity"
OUTBOUND_INTERCEPTOR = "temporalio.worker.WorkflowOutboundInterceptor"

_WEAKENS_SANDBOX = re.compile(
    rb"\bUnsandboxedWorkflowRunner\s*\(|\binvalid_module_members(?:_default)?\b|\bwith_passthrough_all_modules\b"
)
_PASSES_MODULES = re.compile(rb"\bwith_passthrough_modules\s*\(([^)]*)\)")
_STRING = re.compile(rb"[\"']([\w.]+)[\"']")
_FAILURE_TYPES = re.compile(rb"\bworkflow_failure_exception_types\s*=\s*(\[[^\]]*\]|\([^)]*\)|[^\s,)]+)")
_CONVERTER = re.compile(rb"\bdata_converter\b|DataConverter\b|PayloadConverter\b|JSONTypeConverter\b|\bplugins\s*=")
_TYPE = re.compile(rb"\btype\s*=\s*[\"']([\w.]+\.[\w]+)[\"']")
_INBOUND = re.compile(rb"\bActivityInboundInterceptor\b")
_HEARTBEAT = re.compile(rb"heartbeat", re.IGNORECASE)
_CLIENT = re.compile(rb"\bactivity\.client\b|\bfrom temporalio\.activity import\b[^\n]*\bclient\b")
_LIST = re.compile(r"[\[(]\s*((?:[\w.]+\s*,?\s*)*)[\])]\Z")
_REPLAYING = re.compile(rb"\bis_replaying\b")
_LOG_RECORDS = frozenset({"record", "event_dict"})
_LOG_CLASSES = ("Filter", "Handler", "Adapter", "Formatter")
LOGGING_LIBRARIES = frozenset({"logging", "loguru", "structlog"})
_PROSE = re.compile(rb"(\"\"\"|''')(?:\\.|[^\\])*?\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*", re.DOTALL)
_ON_METHODS = frozenset(f"{WORKFLOW}.{name}" for name in ("init", "query", "run", "signal", "update"))
_SETS_TIMEOUT = re.compile(rb"(?:start|schedule)_to_close_timeout\s*=(?!=)")


class Temporal:
    """Answers what is a workflow and what is an activity."""

    def __init__(self, project: Project, relevant: tuple[str, ...] = ()) -> None:
        self._project = project
        self._relevant = relevant

    def is_workflow(self, path: str, definition: Definition) -> bool:
        """Whether a class is a workflow definition."""
        return self._has_decorator(path, definition, f"{WORKFLOW}.defn")

    def is_activity(self, path: str, definition: Definition) -> bool:
        """Whether a function is an activity definition."""
        return self._has_decorator(path, definition, f"{ACTIVITY}.defn")

    def is_sandboxed(self, path: str, definition: Definition) -> bool:
        """Whether a workflow runs in the sandbox, as far as its decorator says."""
        return self._stated(path, definition).get("sandboxed") != "False"

    @property
    def sandbox_is_weakened(self) -> bool:
        """Whether a worker of the project may run without the sandbox, or with one that refuses less."""
        self._project.note("derived", "sandbox-is-weakened")
        return self._sandbox_is_weakened

    @cached_property
    def _sandbox_is_weakened(self) -> bool:
        with self._project.recording(inner=True):
            return any(self._finds(_WEAKENS_SANDBOX, path) for path in self._relevant)

    @property
    def modules_passed_through(self) -> frozenset[str]:
        """The modules that workers of the project pass through the sandbox, by `with_passthrough_modules(...)`."""
        self._project.note("derived", "modules-passed-through")
        return self._modules_passed_through

    @cached_property
    def _modules_passed_through(self) -> frozenset[str]:
        with self._project.recording(inner=True):
            return frozenset(name for path in self._relevant for name in self._passed_by_worker(path))

    def _passed_by_worker(self, path: str) -> Iterator[str]:
        for found in self._matches(_PASSES_MODULES, path):
            yield from (name.decode() for name in _STRING.findall(found[1]))

    def passes_through(self, path: str, written: str, target: str) -> bool:
        """Whether a file takes what is called as `written`, and stands in the file `target`, from outside the sandbox."""
        if self.is_passed_by_worker(target):
            return True
        head = written.partition(".")[0]
        imports = self.imports_passed_through(path)
        return any(record.name == head or self._leads_to(path, record, target) for record in imports)

    def is_passed_by_worker(self, path: str) -> bool:
        """Whether workers of the project pass the module in a file, or a package round it, through the sandbox."""
        stem = "/" + path.rpartition(".")[0].removesuffix("/__init__") + "/"
        return any(f"/{name.replace('.', '/')}/" in stem for name in self.modules_passed_through)

    def imports_passed_through(self, path: str) -> tuple[Import, ...]:
        """The imports of a file that stand under `with workflow.unsafe.imports_passed_through():`."""
        key = ("imports passed through", path)
        return self._project.memo(key, lambda: tuple(self._find_passed(path)), ())

    def _find_passed(self, path: str) -> Iterator[Import]:
        facts = self._project.facts(path)
        blocks = [b for b in facts.blocks if any(callee.endswith("imports_passed_through") for callee, _ in b.items)]
        for record in facts.imports:
            if any(block.start <= record.start < block.end for block in blocks):
                yield record

    def _leads_to(self, path: str, record: Import, target: str) -> bool:
        below = f"{record.module}{'' if record.module.endswith('.') else '.'}{record.attribute}" if record.attribute else ""
        return target in {self._project.module(name, path) for name in (record.module, below) if name}

    def fails_on_any_error(self, path: str, definition: Definition) -> bool:
        """Whether every error ends the workflow (`failure_exception_types=[Exception]`), instead of retrying its task."""
        return bool(re.search(r"\b(?:Base)?Exception\b", self._stated(path, definition).get("failure_exception_types", "")))

    def failure_types(self, path: str, definition: Definition) -> frozenset[str]:
        """The last parts of the exceptions that end a run of a workflow as failed; `?` where not all can be read."""
        stated = self._stated(path, definition).get("failure_exception_types")
        return _listed(stated) if stated is not None else frozenset()

    @property
    def worker_failure_types(self) -> frozenset[str]:
        """The same for what the workers of the project, any of them, say for all workflows."""
        self._project.note("derived", "worker-failure-types")
        return self._worker_failure_types

    @cached_property
    def _worker_failure_types(self) -> frozenset[str]:
        with self._project.recording(inner=True):
            return frozenset(name for path in self._relevant for name in self._failure_types_in(path))

    def _failure_types_in(self, path: str) -> frozenset[str]:
        found = (match[1].decode("utf-8", "replace") for match in self._matches(_FAILURE_TYPES, path))
        return frozenset(name for text in found for name in _listed(text))

    def _stated(self, path: str, definition: Definition) -> dict[str, str]:
        """The keyword arguments of `@workflow.defn`, as source."""
        for decorator in definition.decorators:
            if decorator.callee and self._project.resolve(path, decorator.callee, definition.parent).name == f"{WORKFLOW}.defn":
                return {argument.keyword: argument.text for argument in decorator.arguments or ()}
        return {}

    @property
    def interceptor_sets_timeouts(self) -> bool:
        """Whether an outbound interceptor of the project gives activity calls a timeout."""
        self._project.note("derived", "timeout-interceptor")
        return self._interceptor_sets_timeouts

    @cached_property
    def _interceptor_sets_timeouts(self) -> bool:
        with self._project.recording(inner=True):
            return any(self._sets_timeouts(path) for path in self._relevant)

    def _sets_timeouts(self, path: str) -> bool:
        facts = self._project.try_facts(path)
        if facts is None:
            return False
        return any(self._is_timeout_interceptor(path, position) for position, d in enumerate(facts.definitions) if d.bases)

    def _is_timeout_interceptor(self, path: str, position: int) -> bool:
        definition = self._project.facts(path).definitions[position]
        if not any(base.text.endswith("Interceptor") for base in definition.bases):
            return False
        text = self._project.source(path).text[definition.start : definition.end]
        return bool(_SETS_TIMEOUT.search(text)) and OUTBOUND_INTERCEPTOR in self._project.base_names(path, position)

    def activity_named(self, name: str) -> tuple[str, int] | None:
        """The one activity function of the project that is registered under a name, as (path, position)."""
        self._project.note("derived", "activities")
        found = self._activities.get(name, [])
        return found[0] if len(found) == 1 else None

    def may_name_activity(self, name: str) -> bool:
        """Whether a function of this name is an activity."""
        self._project.note("derived", "activities")
        return name in self._activity_functions

    @cached_property
    def _activity_functions(self) -> frozenset[str]:
        places = (place for found in self._activities.values() for place in found)
        return frozenset(self._project.facts(path).definitions[position].name for path, position in places)

    def activities_digest(self) -> bytes:
        """What tells the activities of the project from others."""
        return repr(sorted(self._activities.items())).encode("utf-8", "surrogateescape")

    @cached_property
    def _activities(self) -> dict[str, list[tuple[str, int]]]:
        found: dict[str, list[tuple[str, int]]] = {}
        with self._project.recording(inner=True):
            for path in self._relevant:
                facts = self._project.try_facts(path)
                for position, definition in enumerate(facts.definitions if facts is not None else ()):
                    if definition.kind == "function" and definition.decorators and self.is_activity(path, definition):
                        found.setdefault(self._name_of_activity(path, definition), []).append((path, position))
        return found

    def _name_of_activity(self, path: str, definition: Definition) -> str:
        """The name that `@activity.defn` gives; empty where it cannot be read."""
        for decorator in definition.decorators:
            if decorator.callee and self._project.resolve(path, decorator.callee, definition.parent).name == f"{ACTIVITY}.defn":
                given = next((one.text for one in decorator.arguments or () if one.keyword in {"name", "**"}), None)
                named = fold(given) if given is not None else definition.name
                return named if isinstance(named, str) else ""
        return ""

    @property
    def converter_is_default(self) -> bool:
        """Whether nothing in the project says that payloads are made in another way than the SDK's own."""
        self._project.note("derived", "default-converter")
        return self._converter_is_default

    @cached_property
    def _converter_is_default(self) -> bool:
        with self._project.recording(inner=True):
            return not any(self._finds(_CONVERTER, path) for path in self._relevant)

    def states_type(self, name: str) -> bool:
        """Whether an error of the project states a dotted name as its type."""
        self._project.note("derived", "error-types")
        return name in self.dotted_error_types

    @cached_property
    def dotted_error_types(self) -> frozenset[str]:
        """The dotted names that stand behind `type=` somewhere in the project."""
        with self._project.recording(inner=True):
            found = (match[1] for path in self._relevant for match in self._matches(_TYPE, path))
            return frozenset(name.decode("utf-8", "replace") for name in found)

    @property
    def interceptor_heartbeats(self) -> bool:
        """Whether an inbound interceptor of the project may send heartbeats for the activities."""
        self._project.note("derived", "heartbeat-interceptor")
        return self._interceptor_heartbeats

    @cached_property
    def _interceptor_heartbeats(self) -> bool:
        with self._project.recording(inner=True):
            return any(self._finds(_INBOUND, path) and self._finds(_HEARTBEAT, path) for path in self._relevant)

    def may_heartbeat(self, name: str) -> bool:
        """Whether a function or class of this name, anywhere in the project, speaks of heartbeats."""
        self._project.note("derived", "heartbeating")
        return name in self.heartbeating

    @cached_property
    def heartbeating(self) -> frozenset[str]:
        """The names of the functions and classes that speak of heartbeats."""
        with self._project.recording(inner=True):
            files = [path for path in self._relevant if self._finds(_HEARTBEAT, path)]
            return frozenset(name for path in files for name in self._heartbeating_in(path))

    def _heartbeating_in(self, path: str) -> Iterator[str]:
        text = self._project.source(path).text
        for definition in self._project.facts(path).definitions:
            if _HEARTBEAT.search(text, definition.start, definition.end):
                yield definition.name

    @property
    def helper_asks_for_client(self) -> bool:
        """Whether `activity.client()` stands anywhere in the project, so that it is worth looking for in what is called."""
        self._project.note("derived", "client-in-activity")
        return self._helper_asks_for_client

    @cached_property
    def _helper_asks_for_client(self) -> bool:
        with self._project.recording(inner=True):
            return any(self._finds(_CLIENT, path) for path in self._relevant)

    @property
    def replay_filters(self) -> frozenset[str]:
        """The logging libraries whose lines a filter of the project drops during a replay.

        Such a filter is a function that is given a log record, or a method of a filter or handler, and asks `is_replaying()`.
        """
        self._project.note("derived", "replay-filters")
        return self._replay_filters

    @cached_property
    def _replay_filters(self) -> frozenset[str]:
        with self._project.recording(inner=True):
            files = [path for path in self._relevant if self._finds(_REPLAYING, path)]
            return frozenset(library for path in files if self._filters_replays(path) for library in self._logs_with(path))

    def _filters_replays(self, path: str) -> bool:
        text, definitions = self._project.source(path).text, self._project.facts(path).definitions
        asking = (d for d in definitions if d.kind == "function" and _REPLAYING.search(text, d.start, d.end))
        return any(self._is_log_filter(path, definition) for definition in asking)

    def _is_log_filter(self, path: str, definition: Definition) -> bool:
        if not _LOG_RECORDS.isdisjoint(parameter.name for parameter in definition.parameters):
            return True
        owner = self._project.facts(path).definitions[definition.parent] if definition.parent >= 0 else None
        return owner is not None and any(base.text.endswith(_LOG_CLASSES) for base in owner.bases)

    def _logs_with(self, path: str) -> frozenset[str]:
        """The logging libraries that a file imports; all of them where it imports none."""
        imported = {record.module.partition(".")[0] for record in self._project.facts(path).imports}
        return LOGGING_LIBRARIES & imported or LOGGING_LIBRARIES

    def _finds(self, pattern: re.Pattern[bytes], path: str) -> bool:
        return bool(self._matches(pattern, path))

    def _matches(self, pattern: re.Pattern[bytes], path: str) -> list[re.Match[bytes]]:
        """Where a pattern matches in the code of a file: what a docstring or a comment shows is nobody's worker."""
        if self._project.try_facts(path) is None:
            return []
        text = self._project.source(path).text
        return list(pattern.finditer(_code(text))) if pattern.search(text) else []

    def handler(self, path: str, definition: Definition) -> str | None:
        """`run`, `signal`, `query`, `update` or `init` for a method that the engine calls."""
        for decorator in definition.decorators:
            kind = self.applied(path, decorator.callee, definition.parent) if decorator.callee else ""
            if kind in {"run", "signal", "query", "update", "init"}:
                return kind
            if decorator.callee.endswith(".validator"):
                return "validator"
        return None

    def applied(self, path: str, callee: str, scope: int) -> str:
        """The decorator of the SDK, without its module, that a decorator is; one of the project's own is the one it applies."""
        symbol = self._project.resolve(path, callee, scope)
        if symbol.name.startswith(f"{WORKFLOW}."):
            return symbol.name.removeprefix(f"{WORKFLOW}.")
        if symbol.state != "internal" or symbol.definition < 0:
            return ""
        key = ("applied decorator", symbol.path, symbol.definition)
        return self._project.memo(key, lambda: self._applied_in(symbol.path, symbol.definition), "")

    def _applied_in(self, path: str, position: int) -> str:
        """The decorator of methods that a function of the project applies to what it is given, or to its own wrapper."""
        facts = self._project.facts(path)
        maker = facts.definitions[position]
        if maker.kind != "function":
            return ""
        inner = (one for one in facts.definitions if maker.body_start <= one.start < maker.end)
        written = [(decorator.callee, one.parent) for one in inner for decorator in one.decorators]
        written += [(call.callee, call.scope) for call in Calls.of(facts).within(maker.body_start, maker.end)]
        names = (self._project.resolve(path, callee, scope).name for callee, scope in written if callee)
        return next((name.removeprefix(f"{WORKFLOW}.") for name in names if name in _ON_METHODS), "")

    def _has_decorator(self, path: str, definition: Definition, name: str) -> bool:
        return any(
            self._project.resolve(path, decorator.callee, definition.parent).name == name
            for decorator in definition.decorators
            if decorator.callee
        )


def _code(text: bytes) -> bytes:
    """A file's text without comments and without strings in triple quotes."""
    return _PROSE.sub(lambda found: b"" if found[1] or found[0].startswith(b"#") else found[0], text)


def _listed(text: str) -> frozenset[str]:
    """The last parts of the names in a list that is given as source."""
    found = _LIST.match(text.strip())
    if found is None:
        return frozenset({"?"})
    return frozenset(name.strip().rpartition(".")[2] for name in found[1].split(",") if name.strip())
