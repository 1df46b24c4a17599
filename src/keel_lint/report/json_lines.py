"""The objects of the `json` format, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from keel_lint.report.json_array import as_object

if TYPE_CHECKING:
    from keel_lint.report import Report


def render(report: Report) -> str:
    """The findings."""
    lines = (msgspec.json.encode(as_object(report, finding), order="sorted").decode() for finding in report.findings)
    return "".join(f"{line}\n" for line in lines)
