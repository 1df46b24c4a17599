"""SARIF 2.1.0 as GitHub's code scanning reads it: paths as code flows, findings that lines moving does not change."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from keel_lint import __version__
from keel_lint.report import Report, notes
from keel_lint.report.line_hash import line_hashes
from keel_lint.source import SourceError

if TYPE_CHECKING:
    from keel_lint.finding import Finding, Fix, Hop, Span
    from keel_lint.outcome import Unresolved
    from keel_lint.rule import RuleInfo

Object = dict[str, Any]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_HOME = "https://github.com/keel-lint/keel-lint"
_ROOT = "%SRCROOT%"
_LONGEST = 1024  # characters that GitHub takes of a description


def render(report: Report) -> str:
    """The log without a newline at its end; suppressed findings are in it, marked as such."""
    return msgspec.json.format(msgspec.json.encode(_Log(report).document), indent=2).decode()


class _Log:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._hashes: dict[str, list[str]] = {}
        unsuppressed: Iterable[tuple[Finding, str | None]] = ((finding, None) for finding in report.findings)
        self._found = sorted([*unsuppressed, *report.suppressed], key=lambda pair: pair[0].order)

    @property
    def document(self) -> Object:
        root = self._report.root.as_uri().rstrip("/")
        run = {
            "tool": {"driver": self._driver()},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {_ROOT: {"uri": f"{root}/"}},
            "automationDetails": {"id": "keel-lint/"},
            "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": self._notifications()}],
            "results": [self._result(finding, reason) for finding, reason in self._found],
        }
        return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}

    @cached_property
    def _rules(self) -> dict[str, int]:
        """The position of each rule that found something."""
        return {code: index for index, code in enumerate(sorted({finding.code for finding, _ in self._found}))}

    def _driver(self) -> Object:
        slugs = {finding.code: finding.slug for finding, _ in self._found}
        installed = self._report.rules.rules
        return {
            "name": "keel-lint",
            "semanticVersion": __version__,
            "informationUri": _HOME,
            "rules": [
                _rule(installed[code]) if code in installed else {"id": code, "name": slugs[code]} for code in self._rules
            ],
        }

    def _notifications(self) -> list[Object]:
        said: list[Object] = [{"level": "note", "message": {"text": line}} for line in notes(self._report)]
        return said + [self._left(one) for one in self._report.unresolved]

    def _left(self, call: Unresolved) -> Object:
        region = {"startLine": call.row, "startColumn": call.column}
        place = {"physicalLocation": {"artifactLocation": self._artifact(call.path), "region": region}}
        return {
            "level": "note",
            "message": {"text": f"`{call.callee}` could not be resolved; what it leads to was not checked."},
            "locations": [place],
        }

    def _result(self, finding: Finding, reason: str | None) -> Object:
        result = {
            "ruleId": finding.code,
            "ruleIndex": self._rules[finding.code],
            "level": "error",
            "message": {"text": finding.message},
            "locations": [_named(self._location(finding.path, finding.span), finding.qualname)],
            "relatedLocations": [{"id": number, **self._hop(hop)} for number, hop in enumerate(finding.hops, 1)],
            "codeFlows": self._flows(finding),
            "partialFingerprints": self._fingerprints(finding),
            "fixes": [self._fix(finding, finding.fix)] if finding.fix else [],
            "suppressions": [] if reason is None else [_suppression(reason)],
        }
        return {key: value for key, value in result.items() if value not in ([], {})}

    def _flows(self, finding: Finding) -> list[Object]:
        if not finding.hops:
            return []
        steps = [self._hop(hop) for hop in finding.hops]
        last = finding.hops[-1]
        if (last.path, last.span) != (finding.path, finding.span):
            steps.append({"message": {"text": finding.message}, **self._location(finding.path, finding.span)})
        locations: list[Object] = [{"location": step} for step in steps]
        for end in (locations[0], locations[-1]):
            end["importance"] = "essential"
        return [{"threadFlows": [{"locations": locations}]}]

    def _hop(self, hop: Hop) -> Object:
        return {"message": {"text": hop.what}, **self._location(hop.path, hop.span)}

    def _location(self, path: str, span: Span) -> Object:
        return {"physicalLocation": {"artifactLocation": self._artifact(path), "region": _region(span)}}

    def _artifact(self, path: str) -> Object:
        root = str(self._report.root).rstrip(os.sep) + os.sep
        if path.startswith(root):
            return {"uri": quote(os.fsencode(path[len(root) :].replace(os.sep, "/"))), "uriBaseId": _ROOT}
        return {"uri": f"file://{quote(os.fsencode(path.replace(os.sep, '/')))}"}

    def _fingerprints(self, finding: Finding) -> Object:
        hashes = self._line_hashes(finding.path)
        row = finding.span.row
        return {
            **({"primaryLocationLineHash": hashes[row - 1]} if row <= len(hashes) else {}),
            **({"keelFinding/v1": finding.fingerprint} if finding.fingerprint else {}),
        }

    def _line_hashes(self, path: str) -> list[str]:
        """The hashes of a file's lines, as they stand on disk: GitHub hashes a byte order mark too."""
        if path not in self._hashes:
            try:
                raw = self._report.source(path).raw
            except SourceError:
                raw = None
            self._hashes[path] = [] if raw is None else line_hashes(raw.decode("utf-8", "replace"))
        return self._hashes[path]

    def _fix(self, finding: Finding, fix: Fix) -> Object:
        edits = sorted(fix.edits, key=lambda edit: edit.path or finding.path)
        changes = [
            {
                "artifactLocation": self._artifact(path),
                "replacements": [
                    {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.content}} for edit in group
                ],
            }
            for path, group in groupby(edits, lambda edit: edit.path or finding.path)
        ]
        return {
            "description": {"text": fix.title},
            "artifactChanges": changes,
            "properties": {"applicability": fix.applicability},
        }


def _rule(info: RuleInfo) -> Object:
    from keel_lint.pages import parse

    page = parse(info)
    address = {"helpUri": info.url} if info.url else {}
    return address | {
        "id": info.code,
        "name": info.slug,
        "shortDescription": {"text": _cut(info.title)},
        "fullDescription": {"text": _cut(page.sections.get("What it does") or info.title)},
        "help": {"text": info.documentation, "markdown": info.documentation},
        "defaultConfiguration": {"level": "error", "enabled": info.on_by_default},
        "properties": {
            "tags": [info.engine, info.group],
            "precision": "high",
            "problem.severity": "recommendation" if info.group == "practice" else "error",
        },
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _named(location: Object, qualname: str) -> Object:
    return {**location, "logicalLocations": [{"fullyQualifiedName": qualname}]} if qualname else location


def _suppression(reason: str) -> Object:
    return {"kind": "inSource", "status": "accepted", **({"justification": reason} if reason else {})}


def _region(span: Span) -> Object:
    return {
        "startLine": span.row,
        "startColumn": span.column,
        "endLine": span.end_row,
        "endColumn": span.end_column,
    }
