"""JUnit's XML: a test suite a file, a failed test a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

from keel_lint.report import Report, one_line, printable

if TYPE_CHECKING:
    from keel_lint.finding import Finding

_PACKAGE = "org.keel-lint"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The document; where nothing was found, one test that passed."""
    number = len(report.findings)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="keel-lint" tests="{number or 1}" skipped="0" failures="{number}" errors="0">',
        *(_suites(report.findings) if number else _passed()),
        "</testsuites>",
        "",
    ]
    return "\n".join(lines)


def _passed() -> Iterator[str]:
    yield _suite("keel-lint", tests=1, failures=0)
    yield '        <testcase name="No errors found" classname="keel-lint"/>'
    yield "    </testsuite>"


def _suites(findings: Sequence[Finding]) -> Iterator[str]:
    for path, group in groupby(findings, lambda finding: finding.path):
        found = list(group)
        yield _suite(printable(path), tests=len(found), failures=len(found))
        for finding in found:
            yield from _case(finding)
        yield "    </testsuite>"


def _suite(name: str, tests: int, failures: int) -> str:
    return (
        f'    <testsuite name="{_escaped(name)}" tests="{tests}" skipped="0" errors="0" failures="{failures}"'
        f' package="{_PACKAGE}">'
    )


def _case(finding: Finding) -> Iterator[str]:
    span = finding.span
    place = f'line="{span.row}" column="{span.column}"'
    name = _escaped(printable(str(PurePath(finding.path).with_suffix(""))))
    message = _escaped(one_line(finding))
    yield f'        <testcase name="{_PACKAGE}.{finding.code}" classname="{name}" {place}>'
    yield "            <properties>"
    yield '                <property name="severity" value="error"/>'
    yield "            </properties>"
    yield f'            <failure message="{message}">line {span.row}, col {span.column}, {message}</failure>'
    yield "        </testcase>"


def _escaped(text: str) -> str:
    """`text` for an attribute or an element; characters that XML has no place for become `\\ufffd`."""
    pairs = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;"))
    text = _NOT_XML.sub("\ufffd", text)
    for raw, entity in pairs:
        text = text.replace(raw, entity)
    return text
