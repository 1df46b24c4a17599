"""The objects of the `json` format, one a line; the last line says what was left unresolved, if anything was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from keel_lint.report import printable
from keel_lint.report.json_array import Object, as_object

if TYPE_CHECKING:
    from keel_lint.outcome import Unresolved
    from keel_lint.report import Report


def render(report: Report) -> str:
    """The findings, and one more object with only the key `keel` where calls could not be resolved."""
    objects = [as_object(report, finding) for finding in report.findings]
    if report.unresolved:
        objects.append({"keel": {"unresolved": [_unresolved(one) for one in report.unresolved]}})
    return "".join(f"{msgspec.json.encode(each, order='sorted').decode()}\n" for each in objects)


def _unresolved(call: Unresolved) -> Object:
    return {"call": call.callee, "filename": printable(call.path), "location": {"column": call.column, "row": call.row}}
