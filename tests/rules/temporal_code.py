"""Temporal code for tests: a workflow class round a body."""

from __future__ import annotations

from textwrap import dedent, indent

IMPORTS = """\
import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, ChildWorkflowError, FailureError
from temporalio.exceptions import is_cancelled_exception
from temporalio.exceptions import TimeoutError as LateError

MINUTE = timedelta(minutes=1)


class Mine(Exception): ...


class Ours(Mine, ApplicationError): ...


"""


def in_class(body: str, decorator: str = "@workflow.defn", bases: str = "") -> str:
    """A workflow class with this body."""
    return f"{IMPORTS}{decorator}\nclass Wf{bases}:\n" + indent(dedent(body).strip("\n") + "\n", "    ")


def in_run(body: str, decorator: str = "@workflow.defn") -> str:
    """A workflow whose run method has this body."""
    head = "@workflow.run\nasync def run(self, given: Any = None) -> Any:\n"
    return in_class(head + indent(dedent(body).strip("\n") + "\n", "    "), decorator)


def with_run(body: str, run: str = "await workflow.wait_condition(lambda: False)") -> str:
    """A workflow with a run method and other methods."""
    head = "@workflow.run\nasync def run(self, given: Any = None) -> Any:\n" + indent(dedent(run).strip("\n"), "    ")
    return in_class(head + "\n\n" + dedent(body).strip("\n"))
