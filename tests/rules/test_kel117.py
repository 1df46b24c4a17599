"""KEL117, where an example cannot show it: what counts as a handler, and what is fixed how."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """
from celery import shared_task
{imports}


@shared_task
def work(number):
    print(number)


{head}:
    {body}
"""
HANDLERS = [
    ("from fastapi import APIRouter\nrouter = APIRouter()", "@router.get('/')\nasync def handle()"),
    ("from fastapi import FastAPI\napp: FastAPI = FastAPI()", "@app.middleware('http')\nasync def handle(request, call_next)"),
    ("from starlette.requests import Request", "async def handle(request: Request)"),
    ("from aiohttp import web\nroutes = web.RouteTableDef()", "@routes.get('/')\nasync def handle(request)"),
    ("from quart import Quart\napp = Quart(__name__)", "@app.route('/')\nasync def handle()"),
    ("from litestar import post", "@post('/')\nasync def handle()"),
    ("from temporalio import activity", "@activity.defn\nasync def handle()"),
]
OTHERS = [
    ("from fastapi import APIRouter\nrouter = APIRouter()", "@router.get('/')\ndef handle()"),
    ("from fastapi import APIRouter\nrouter = APIRouter()", "async def handle()"),
    ("from somewhere import router", "@router.get('/')\nasync def handle()"),
    ("from django.http import HttpRequest", "async def handle(request: HttpRequest)"),
]


def written(imports: str, head: str, body: str = "work.delay(1)") -> dict[str, str]:
    return {"shop.py": HEAD.format(imports=imports, head=head, body=body)}


@pytest.mark.parametrize(("imports", "head"), HANDLERS)
def test_what_runs_in_the_event_loop_of_a_server(lint: Lint, imports: str, head: str) -> None:
    assert len(lint(written(imports, head), "KEL117")) == 1


@pytest.mark.parametrize(("imports", "head"), OTHERS)
def test_what_may_not(lint: Lint, imports: str, head: str) -> None:
    assert lint(written(imports, head), "KEL117") == []


@pytest.mark.parametrize(
    ("body", "new"),
    [
        ("work.delay(1)", "await asyncio.to_thread(work.delay, 1)"),
        ("return work.delay(1)", "return await asyncio.to_thread(work.delay, 1)"),
        ("task = work.si(1).delay()", "task = await asyncio.to_thread(work.si(1).delay)"),
        ("return work.delay(1).get()", "return await asyncio.to_thread(lambda: work.delay(1).get())"),
        ("return work.delay(1).id", None),
        ("return [work.delay(1) for _ in 'ab']", None),
        ("return work.delay(await other()).get()", None),
    ],
)
def test_what_is_written_instead(lint: Lint, body: str, new: str | None) -> None:
    imports, head = HANDLERS[0]
    files = written(f"{imports}\nimport asyncio", head, body)
    (finding,) = lint(files, "KEL117")
    assert (finding.fix is not None) == (new is not None)
    if finding.fix is not None and new is not None:
        text = files["shop.py"].encode()
        for edit in sorted(finding.fix.edits, key=lambda edit: edit.span.start, reverse=True):
            text = text[: edit.span.start] + edit.content.encode() + text[edit.span.end :]
        assert text.decode().splitlines()[-1] == f"    {new}"
