"""What runs in an event loop that others need: handlers of asynchronous web frameworks, and async activities.

An `async def` alone says little: `async_to_sync` and `asyncio.run` give one a loop of its own, which nobody else waits for.
Certain are functions that a framework calls: by their decorator, by the class they are methods of, by the request they are
given. Django runs asynchronous views in a loop of their own under WSGI, so that its views count where the project has an ASGI
application. Source: https://docs.djangoproject.com/en/stable/topics/async/#async-views
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from keel_lint.flow.calls import RUN_IN_THREADS
from keel_lint.index.facts import MODULE
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.finding import Hop
    from keel_lint.flow.calls import Calls, Edge
    from keel_lint.flow.canonical import CanonicalNames
    from keel_lint.flow.classes import Place
    from keel_lint.index.facts import Call
    from keel_lint.jobs import Jobs

_VERBS = "delete|get|head|options|patch|post|put"
_DECORATORS = re.compile(
    rf"fastapi\.(?:applications\.|routing\.)?(?:APIRouter|FastAPI)\.(?:api_route|exception_handler|middleware|websocket|{_VERBS})"
    rf"|starlette\.(?:applications\.Starlette|routing\.Router)\.(?:exception_handler|middleware|route|websocket_route)"
    rf"|aiohttp\.web\.RouteTableDef\.(?:route|view|{_VERBS})"
    rf"|sanic\.(?:Blueprint|Sanic)\.(?:middleware|on_request|on_response|route|websocket|{_VERBS})"
    rf"|quart\.(?:Blueprint|Quart)\.(?:after_request|before_request|route|websocket|{_VERBS})"
    rf"|litestar\.(?:route|{_VERBS})"
)
_DJANGO_DECORATORS = re.compile(rf"ninja\.(?:NinjaAPI|Router|router\.Router)\.(?:api_operation|{_VERBS})")
_BASES = re.compile(
    r"channels\.(?:generic\.\w+\.Async\w+Consumer|consumer\.AsyncConsumer)"
    r"|starlette\.endpoints\.(?:HTTPEndpoint|WebSocketEndpoint)|aiohttp\.web\.View|tornado\.web\.RequestHandler"
)
_DJANGO_VIEWS = re.compile(r"django\.views\.(?:\w+\.)*\w*View")
_REQUESTS = frozenset({
    "aiohttp.web.Request", "fastapi.Request", "fastapi.WebSocket", "fastapi.requests.Request", "sanic.Request",
    "starlette.requests.Request", "starlette.websockets.WebSocket",
})  # fmt: skip
_DJANGO_REQUESTS = frozenset({"django.http.HttpRequest", "django.core.handlers.asgi.ASGIRequest"})
_METHODS = frozenset(_VERBS.split("|"))
_ASYNC = frozenset({b"async def"})
_FEW_FILES = 8


class Handler(Record, frozen=True):
    """A function that runs in an event loop, and the way from it to a call, as the hops of a path."""

    place: Place
    name: str
    hops: tuple[Hop, ...]


class EventLoop:
    """Answers which calls run in an event loop that others need."""

    def __init__(self, jobs: Jobs, calls: Calls, names: CanonicalNames) -> None:
        self._jobs = jobs
        self._project = jobs.project
        self._calls = calls
        self._names = names

    def handler_of(self, path: str, call: Call) -> Handler | None:
        """The nearest handler in whose event loop a call runs, or `None` where none is known."""
        key = ("event loop", path, call.scope, call.start)
        return self._project.memo(key, lambda: self._nearest(path, call), None) if call.scope != MODULE else None

    def _nearest(self, path: str, call: Call) -> Handler | None:
        if not self._project.memo(("handlers",), self._may_have_handlers, recursive=True):
            return None
        waiting: deque[tuple[Place, Place | None, tuple[Edge, ...]]] = deque([((path, call.scope), None, ())])
        seen: set[tuple[Place, Place | None]] = {((path, call.scope), None)}
        while waiting:
            place, owner, way = waiting.popleft()
            if self.is_handler(*place):
                return self._handler(place, way)
            for edge, its_owner in self._calls.ways_back(*place, owner):
                above = (edge.path, edge.scope), its_owner
                if edge.scope != MODULE and above not in seen and self.stays_in_thread(edge):
                    seen.add(above)
                    waiting.append((*above, (edge, *way)))
        return None

    def _may_have_handlers(self) -> bool:
        """Whether the project has a handler; where more than a few files have asynchronous functions, that is not looked up."""
        files = [path for path in self._project.naming("async") if self._project.mentions(path, _ASYNC)]
        return len(files) > _FEW_FILES or any(map(self._has_handler, files))

    def _has_handler(self, path: str) -> bool:
        facts = self._project.try_facts(path)
        return facts is not None and any(self.is_handler(path, at) for at in range(len(facts.definitions)))

    def _handler(self, place: Place, way: tuple[Edge, ...]) -> Handler:
        definition = self._project.facts(place[0]).definitions[place[1]]
        first = self._project.hop(place[0], *definition.name_span, f"`{definition.name}` runs in the event loop")
        calls = (self._project.hop(edge.path, edge.start, edge.end, f"calls `{edge.written}`") for edge in way)
        return Handler(place, definition.name, (first, *calls))

    # -- threads ----------------------------------------------------------------------------------------------------------

    def stays_in_thread(self, edge: Edge) -> bool:
        """Whether what a call runs runs in the thread of the call."""
        return edge.how in {"call", "passed"} and not self._is_taken_away(edge)

    def _is_taken_away(self, edge: Edge) -> bool:
        """Whether a decorator takes a plain function to a thread: it is one of those that do, or the call is awaited."""
        path, position = edge.target
        definition = self._project.facts(path).definitions[position]
        if not definition.decorators:
            return False
        names = {self._project.resolve(path, d.callee, definition.parent).name for d in definition.decorators if d.callee}
        if not names.isdisjoint(RUN_IN_THREADS):
            return True
        return not definition.is_async and self._is_awaited(edge)

    def _is_awaited(self, edge: Edge) -> bool:
        calls = self._project.facts(edge.path).calls
        return any(call.awaited for call in calls if (call.start, call.end) == (edge.start, edge.end))

    # -- handlers ---------------------------------------------------------------------------------------------------------

    def is_async_activity(self, path: str, position: int) -> bool:
        """Whether a function is an activity that runs in the event loop of its worker."""
        definition = self._project.facts(path).definitions[position]
        return definition.kind == "function" and definition.is_async and self._jobs.temporal.is_activity(path, definition)

    def is_handler(self, path: str, position: int) -> bool:
        """Whether a function runs in an event loop that others need."""
        return self._project.memo(("is handler", path, position), lambda: self._is_handler(path, position), recursive=False)

    def _is_handler(self, path: str, position: int) -> bool:
        definition = self._project.facts(path).definitions[position]
        if definition.kind != "function" or not definition.is_async:
            return False
        decorators = {self._names.of(path, d.callee, definition.parent) for d in definition.decorators if d.callee}
        given = {
            self._project.resolve(path, p.annotation, definition.parent).name for p in definition.parameters if p.annotation
        }
        bases = self._project.bases_round(path, definition)
        if any(map(_DECORATORS.fullmatch, decorators)) or not given.isdisjoint(_REQUESTS) or any(map(_BASES.fullmatch, bases)):
            return True
        is_django = (
            any(map(_DJANGO_DECORATORS.fullmatch, decorators))
            or not given.isdisjoint(_DJANGO_REQUESTS)
            or (definition.name in _METHODS and any(map(_DJANGO_VIEWS.fullmatch, bases)))
        )
        return (is_django and self._is_asgi()) or self.is_async_activity(path, position)

    def _is_asgi(self) -> bool:
        return bool(self._project.naming("get_asgi_application"))
