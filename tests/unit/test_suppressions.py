"""Suppression comments: what they cover, that flake8 reads `noqa` alike, what is wrong with them, and how they are written."""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path

import pytest
from flake8 import defaults
from flake8.processor import FileProcessor
from flake8.violation import Violation
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keel_lint.finding import Finding
from keel_lint.index.build import index
from keel_lint.rule import Registry, RuleInfo
from keel_lint.source import Source
from keel_lint.suppressions import Suppressions, add_noqa, may_suppress, noqa_row_for

ITSELF = Registry.of_packages({"itself": "keel_lint.itself"}).rules
SLUGS = {"KEL101": "delay-in-atomic", "KEL102": "dispatch-before-commit", "KEL201": "acks-late"}
RULES: dict[str, RuleInfo] = {code: replace(ITSELF["KEL002"], code=code, slug=slug) for code, slug in SLUGS.items()}
REGISTRY = Registry({**ITSELF, **RULES})
EVERY = frozenset(REGISTRY.rules)
TODAY = date(2026, 6, 1)
BLANKET = "this `noqa` suppresses everything; write `# noqa: KEL101`"


def source_of(text: str) -> Source:
    return Source.from_bytes(Path("/p/a.py"), text.encode())


def parse(text: str, *, own_only: bool = False) -> Suppressions:
    source = source_of(text)
    return Suppressions.parse(source, index(source.text), REGISTRY, TODAY, own_only=own_only)


def finding(text: str, row: int, code: str = "KEL101") -> Finding:
    source = source_of(text)
    span = source.span(source.line_starts[row - 1], source.line_starts[row - 1])
    return Finding(code, REGISTRY.rules[code].slug, "reliability", "message", "/p/a.py", span, row)


def covered(text: str, code: str = "KEL101") -> list[int]:
    """The rows on which a finding of `code` would be suppressed."""
    suppressions = parse(text)
    return [row for row in range(1, text.count("\n") + 1) if suppressions.match(finding(text, row, code))]


def said(text: str, active: frozenset[str] = EVERY - {"KEL003"}) -> list[tuple[str, str, str]]:
    """Code, the words marked, and the message of each problem."""
    source = source_of(text)
    return [
        (one.code, source.slice(one.span.start, one.span.end), one.message) for one in parse(text).problems(active, "/p/a.py")
    ]


def fixed(text: str) -> str:
    """The text after the fixes of its problems, one after the other until none is left."""
    while fixes := [one.fix for one in parse(text).problems(EVERY, "/p/a.py") if one.fix]:
        text = source_of(text).apply(fixes[0].edits).decode()
    return text


COMMENTS = [
    "# noqa",
    "#noqa",
    "#  noqa",
    "# NOQA",
    "# NoQA: KEL101",
    "# noqa: KEL101",
    "# noqa:KEL101",
    "# noqa:  KEL101",
    "# noqa : KEL101",
    "# noqa: KEL101 -- why",
    "# noqa: KEL101 # why",
    "# noqa:KEL101 # why",
    "# noqa: F401, KEL101 -- why",
    "# noqa: F401,KEL101",
    "# noqa: F401 KEL101 why",
    "# noqa: F401",
    "# noqa: F401 -- not KEL101",
    "# noqa: KEL1",
    "# noqa: K1",
    "# noqa: KEL",
    "# noqa: KEL10",
    "# noqa: KEL1011",
    "# noqa: KEL101foo",
    "# noqa: KEL101-foo",
    "# noqa: kel101",
    "# noqa: delay-in-atomic",
    "# noqa: KEL102, KEL101, -- why",
    "# noqa:\u00a0KEL101",
    "# noqaKEL101",
    "## noqa: KEL101",
    "# why # noqa: KEL101",
    "# noqa: F401 # noqa: KEL101",
    "# type: ignore[misc]  # noqa: KEL101",
    "# \u00e9t\u00e9 # noqa: KEL101 -- \u00e9t\u00e9",
    "# no noqa here",
    "# keel: ignore KEL101 -- why  # noqa: F401",
]


def flake8_ignores(comment: str, code: str) -> bool:
    return bool(Violation(code, "a.py", 1, 1, "text", f"x = 1  {comment}\n").is_inline_ignored(disable_noqa=False))


def noqa_suppresses(comment: str, code: str) -> bool:
    text = f"x = 1  {comment}\n"
    found = parse(text).match(finding(text, 1, code))
    return found is not None and found.directive.tool == "noqa"


@pytest.mark.parametrize("code", ["KEL101", "KEL102"])
@pytest.mark.parametrize("comment", COMMENTS)
def test_flake8_reads_noqa_alike(comment: str, code: str) -> None:
    if "keel:" not in comment:
        assert noqa_suppresses(comment, code) == flake8_ignores(comment, code)
    text = f"x = 1  {comment}\n"
    read = [one for one in parse(text).directives if one.tool == "noqa"]
    match = defaults.NOQA_INLINE_REGEXP.search(comment)
    assert bool(read) == bool(match)
    if match:
        assert [name.name for name in read[0].names if name.name] == re.findall(r"[^\s,]+", match["codes"] or "")


@given(st.text("#noqa:NOQA KEL1012F, -\t", max_size=30))
def test_flake8_reads_any_comment_alike(tail: str) -> None:
    comment = f"# noqa{tail}"
    assert noqa_suppresses(comment, "KEL101") == flake8_ignores(comment, "KEL101")


@pytest.mark.parametrize(
    "line",
    [
        "# flake8: noqa",
        "# flake8=noqa",
        "# FLAKE8: NOQA",
        "    # flake8: noqa",
        "# flake8:noqa",
        "#flake8: noqa",
        "# x # flake8: noqa",
        "x = 1  # flake8: noqa",
        "# flake8: noqa -- why",
        "# flake8: none",
    ],
)
def test_flake8_reads_a_file_level_noqa_alike(line: str) -> None:
    text = f"{line}\nsend()\n"
    assert (covered(text)[-1:] == [2]) == bool(defaults.NOQA_FILE.match(line))


def test_a_file_level_noqa_with_codes_is_no_blanket() -> None:
    for line in ("# flake8: noqa: KEL101", "# ruff: noqa: KEL101", "#ruff:noqa:KEL101 -- why"):
        assert covered(f"{line}\nsend()\n") == [1, 2]
        assert covered(f"{line}\nsend()\n", "KEL102") == []
    assert covered("# ruff: noqa\nsend()\n", "KEL102") == [1, 2]


JOINED = [
    'x = 1\ny = """a\nb\n"""\nz = 2\n',
    'f("""a\nb""",\n  2)\n',
    'x = """a\nb""" + """c\nd"""\n',
    "x = 1 + \\\n  2 + \\\n  3\ny = 1\n",
    "x = 'a\\\nb'\ny = f(\n  1,\n)\n",
    'def f():\n    """doc\n\n    more\n    """\n    return 1\n',
    '# """ in a comment\nx = 1\ny = "\\"\\"\\"" # \\\nz = 2\n',
    'x = \'"""\'\ny = 2\nz = \'"""\'\n',
    'x = """a\n"""; y = """b\n"""\nz = 1\n',
    'x = f"""{1}\n{"a"}\n"""\n',
    "with a, \\\n     b:\n    pass\n",
    'x = rb"""\\\n"""\r\ny = 1\n',
]


@pytest.mark.parametrize("text", JOINED)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_flake8_looks_for_noqa_in_the_same_rows(text: str, newline: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(text.replace("\r\n", "\n").replace("\n", newline).encode())
    source = Source.read(file)

    options = argparse.Namespace(
        hang_closing=False, indent_size=4, max_line_length=79, max_doc_length=None, verbose=0, stdin_display_name="stdin"
    )
    processor = FileProcessor(str(file), options)
    for row in range(1, text.count("\n") + 1):
        line = processor.noqa_line_for(row)
        assert line is not None
        assert line.splitlines()[-1] == source.line(noqa_row_for(source, row))


def test_a_noqa_behind_a_string_counts_for_all_its_rows() -> None:
    assert covered('send("""a\nb""")  # noqa: KEL101\nsend()\n') == [1, 2]
    assert covered("send(\n  1,\n)  # noqa: KEL101\n") == [3]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a()\nb()  # keel: ignore KEL101 -- why\nc()\n", [2]),
        ("b()  # keel: ignore[KEL101] why\n", [1]),
        ("b()  # keel: ignore[delay-in-atomic, KEL102] why\n", [1]),
        ("b()  # keel: ignore delay-in-atomic -- why\n", [1]),
        ("b()  # keel: ignore KEL102, delay-in-atomic -- why\n", [1]),
        ("b()  # keel: ignore KEL102 KEL101 why\n", [1]),
        ("b()  # keel: ignore kel101\n", [1]),
        ("b()  # keel: ignore KEL1\n", [1]),
        ("b()  # keel:ignore: KEL101\n", [1]),
        ("b()  # type: ignore  # keel: ignore KEL101\n", [1]),
        ("b()  # KEEL: Ignore KEL101\n", [1]),
        ("b()  # ruff: ignore[F401, KEL101] why\n", [1]),
        ("b()  # ruff: ignore KEL101\n", []),
        ("b()  # ruff: ignore[delay-in-atomic]\n", []),
        ("b()  # keel: ignore\n", []),
        ("b()  # keel: ignore[KEL]\n", []),
        ("b()  # keel: ignore[ALL]\n", []),
        ("b()  # keel: ignore KEL102 -- not KEL101\n", []),
        ('b()  # say "# keel: ignore KEL101"\n', []),
        ("b('''\n''')  # keel: ignore KEL101\n", [1, 2]),
        # on its own line: the next statement, or the header of one with a body
        ("# keel: ignore KEL101 -- why\na(\n  1,\n)\nb()\n", [2, 3, 4]),
        ("# keel: ignore KEL101 -- why\n\n# more\na()\nb()\n", [4]),
        ("# keel: ignore KEL101 -- why\nwith a(\n  1\n):  # x\n    b()\n", [2, 3, 4]),
        ("if a:\n    b()\n# keel: ignore KEL101 -- why\nelif c(\n):\n    d()\n", [4, 5]),
        ("if a:\n    # keel: ignore KEL101 -- why\n    b()\n    c()\n", [3]),
        ("a(\n    # keel: ignore KEL101 -- why\n    b=c(\n    ),\n    d=1,\n)\n", [3, 4]),
        ("match a:\n    # keel: ignore KEL101 -- why\n    case 1:\n        b()\n", [3]),
        ("a()\n# keel: ignore KEL101 -- why\n", []),
        # the decorators and the header of a definition are one
        ("@task(\n  x=1,\n)  # keel: ignore KEL101 -- why\ndef f(a):\n    pass\n", [1, 2, 3, 4]),
        ("@a\n@b\ndef f(\n  a,\n):  # keel: ignore KEL101 -- why\n    pass\n", [1, 2, 3, 4, 5]),
        ("# keel: ignore KEL101 -- why\n@a\nclass C(B):\n    x = 1\n", [2, 3]),
        ("@a\n# keel: ignore KEL101 -- why\ndef f(): pass\nx = 1\n", [1, 2, 3]),
        ("def f(): pass  # keel: ignore KEL101\ndef g(): pass\n", [1]),
        ("@a\ndef f():\n    pass  # keel: ignore KEL101\n", [3]),
        ("@a  # noqa: KEL101\ndef f():\n    pass\n", [1]),
        # stretches and whole files
        ("a()\n# keel: disable KEL101 -- why\nb()\n# keel: enable KEL101\nc()\n", [2, 3, 4]),
        ("a()\n# keel: disable[KEL101] why\nb()\n# keel: enable\nc()\n", [2, 3, 4]),
        ("a()\n# keel: disable KEL101 -- why\nb()\n# keel: enable KEL102\nc()\n", [2, 3, 4, 5]),
        ("# keel: disable delay-in-atomic\nb()\n# keel: enable KEL1\nc()\n", [1, 2, 3]),
        ("# ruff: disable[KEL101, F401]\nb()\n# ruff: enable[KEL101]\nc()\n", [1, 2, 3]),
        ("# keel: disable KEL101\nb()\n# ruff: enable[KEL101]\nc()\n", [1, 2, 3, 4]),
        ("a()\n# keel: file-ignore KEL101 -- why\n", [1, 2]),
        ("a()\n# ruff: file-ignore[KEL101] why\n", [1, 2]),
        # dates
        ("b()  # keel: ignore KEL101 -- why until 2026-06-01\n", [1]),
        ("b()  # keel: ignore KEL101 -- why until 2026-05-31\n", []),
        ("b()  # keel: ignore[KEL101] why, until: 2027-01-31.\n", [1]),
        ("b()  # keel: ignore KEL101 -- until 2027-13-01\n", []),
        ("b()  # keel: ignore KEL101 -- until 31.01.2027\n", []),
        ("b()  # keel: ignore KEL101 -- until 20270131\n", []),
        ("b()  # keel: ignore KEL101 -- until tomorrow\n", []),
        ("b()  # keel: ignore KEL101 -- until next week\n", []),
        ("b()  # keel: ignore KEL101 -- until\n", []),
        ("b()  # keel: ignore KEL101 -- nobody waits until the page is there\n", [1]),
        ("# keel: disable KEL101 -- until 2020-01-01\nb()\n", []),
        ("# keel: file-ignore KEL101 -- until 2020-01-01\nb()\n", []),
    ],
)
def test_what_a_comment_covers(text: str, rows: list[int]) -> None:
    assert covered(text) == rows
    assert may_suppress(text.encode())
    assert covered(text.replace("\n", "\r\n")) == rows


def test_a_reason_is_kept_with_what_it_suppressed() -> None:
    for comment in ("noqa: KEL101 -- we know", "keel: ignore[KEL101] we know until 2027-01-01", "ruff: ignore[KEL101] we know"):
        text = f"a()  # {comment}\n"
        found = parse(text).match(finding(text, 1))
        assert found is not None
        assert (found.name, found.reason, found.row, found.used) == ("KEL101", "we know", 1, True)


def test_files_without_the_words_are_not_read() -> None:
    assert not may_suppress(b"# a keel of a ship, a ruff\n")
    assert may_suppress(b"# NOQA\n")


def test_internal_errors_cannot_be_suppressed() -> None:
    for text in ("a()  # noqa\n", "a()  # noqa: KEL0\n", "# keel: file-ignore KEL000, KEL001\na()\n", "# flake8: noqa\na()\n"):
        assert covered(text, "KEL000") == covered(text, "KEL001") == []


def test_flake8_keeps_its_noqa_and_keel_the_rest() -> None:
    text = "a()  # noqa: KEL101\nb()  # keel: ignore KEL101\n# ruff: disable[KEL102]\nc()  # noqa\n"
    suppressions = parse(text, own_only=True)
    assert suppressions.match(finding(text, 1)) is None
    assert suppressions.match(finding(text, 2)) is not None
    assert suppressions.match(finding(text, 4)) is None
    assert suppressions.match(finding(text, 4, "KEL102")) is not None
    assert suppressions.cuts("KEL101", 1) is not None


def test_a_hop_is_cut_by_a_code_never_by_a_blanket() -> None:
    text = "a()  # noqa\nb()  # noqa: KEL101\nc()  # keel: ignore delay-in-atomic\nd()\n"
    suppressions = parse(text)
    assert [row for row in range(1, 5) if suppressions.cuts("KEL101", row)] == [2, 3]
    assert suppressions.cuts("KEL102", 2) is None
    assert suppressions.problems(EVERY - {"KEL003"}, "/p/a.py") == []


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a()  # noqa: KEL101 -- why\nb()\n", "a()\nb()\n"),
        ("a()\t# keel: ignore KEL101 -- why  \r\nb()\r\n", "a()\r\nb()\r\n"),
        ("a()\n    # keel: ignore KEL101 -- why\n\nb()\n", "a()\n\nb()\n"),
        ("a()\n# keel: file-ignore KEL101", "a()\n"),
        ("a()  # noqa: F401, KEL101 -- why\n", "a()  # noqa: F401 -- why\n"),
        ("a()  # noqa: KEL101,F401,KEL102\n", "a()  # noqa: F401\n"),
        ("a()  # noqa: KEL101 # pragma: no cover\n", "a()  # pragma: no cover\n"),
        ("a()  # pragma: no cover  # noqa: KEL101 -- why\n", "a()  # pragma: no cover\n"),
        ("a()  # x  # noqa: KEL101 -- why  # y\n", "a()  # x  # y\n"),
        ("a()  # keel: ignore KEL101 -- why  # noqa: KEL102\n", "a()\n"),
        ("a()  # ruff: ignore[F401, KEL101] why\n", "a()  # ruff: ignore[F401] why\n"),
        ("a()  # ruff: ignore[KEL101] why\n", "a()\n"),
        ("a()  # keel: ignore[KEL101, KEL101, KEL102] why\n", "a()\n"),
        ("# keel: disable KEL101 -- why\na()\n# keel: enable KEL101\nb()\n", "a()\nb()\n"),
        ("# keel: disable KEL101, KEL102\na()\n# keel: enable KEL102, KEL101\nb()\n", "a()\nb()\n"),
        ("# keel: disable KEL101\na()\n", "a()\n"),
        ("a()\n# keel: enable KEL101\n", "a()\n"),
        ("\u00e9 = 1  # \u00e9 # noqa: KEL101 -- \u00e9\nb()\n", "\u00e9 = 1  # \u00e9\nb()\n"),
        # left as they are
        ("# keel: disable KEL101\na()\n# keel: enable\nb()\n", None),
        ("# flake8: noqa: KEL101\na()\n", None),
        ("a()  # noqa\n", None),
        ("a()  # noqa: F401\n", None),
    ],
)
def test_what_is_unused_is_removed(text: str, after: str | None) -> None:
    assert fixed(text) == (text if after is None else after)


def test_an_expired_stretch_still_has_its_end() -> None:
    text = "# keel: disable KEL101 -- until 2020-01-01\na()\n# keel: enable KEL101\n"
    assert [code for code, _, _ in said(text)] == ["KEL004"]


def test_what_is_used_is_not_reported() -> None:
    text = "a()  # noqa: KEL101, KEL102 -- why\n"
    suppressions = parse(text)
    assert suppressions.match(finding(text, 1))
    assert [one.message for one in suppressions.problems(EVERY, "/p/a.py")] == ["`KEL102` suppresses nothing here"]


def test_unused_is_said_only_of_rules_that_ran() -> None:
    text = "a()  # noqa: KEL101, KEL1, KEL2 -- why\n"
    assert said(text, frozenset({"KEL002", "KEL101", "KEL201"})) == [
        ("KEL002", "KEL101", "`KEL101` suppresses nothing here"),
        ("KEL002", "KEL2", "`KEL2` suppresses nothing here"),
    ]
    assert said(text, frozenset({"KEL004", "KEL005", "KEL101"})) == []


def test_the_narrowest_comment_is_the_one_used() -> None:
    text = "# keel: file-ignore KEL101 -- why\na()  # noqa: KEL101 -- why\n"
    suppressions = parse(text)
    assert suppressions.match(finding(text, 2))
    assert [one.span.row for one in suppressions.problems(EVERY, "/p/a.py")] == [1]


def test_a_problem_can_be_suppressed_by_its_code() -> None:
    assert said("a()  # noqa: KEL101, KEL002 -- why\n") == []
    assert said("a()  # noqa: KEL199, KEL005 -- why\n") == []
    assert said("# keel: file-ignore KEL004 -- why\na()  # keel: ignore KEL101 -- until 2020-01-01\n") == []


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# noqa: KEL199", [("KEL005", "KEL199", "no rule has the code `KEL199`")]),
        ("# noqa: KEL7", [("KEL005", "KEL7", "no rule has the code `KEL7`")]),
        ("# noqa: kel101", [("KEL005", "kel101", "no rule has the code `kel101`; did you mean `KEL101`?")]),
        ("# noqa: delay-in-atomic", [("KEL005", "# noqa: delay-in-atomic", BLANKET)]),
        ("# noqa : KEL101", [("KEL005", "# noqa : KEL101", BLANKET)]),
        (
            "# keel: ignore[delay-in-atomc] why",
            [("KEL005", "delay-in-atomc", "no rule is called `delay-in-atomc`; did you mean `delay-in-atomic`?")],
        ),
        ("# keel: ignore", [("KEL005", "# keel: ignore", "`keel: ignore` names no rule, so it suppresses nothing")]),
        (
            "# keel: ingore KEL101 -- why",
            [("KEL005", "# keel: ingore KEL101 -- why", "`keel: ingore` means nothing; did you mean `ignore`?")],
        ),
        ("# keel: noqa KEL101", [("KEL005", "# keel: noqa KEL101", "`keel: noqa` means nothing; did you mean `ignore`?")]),
        (
            "# keel-lint: ignore[KEL101] why",
            [("KEL005", "# keel-lint: ignore[KEL101] why", "`keel-lint:` means nothing; write `keel: ignore`")],
        ),
        ("# keel-lint: is a linter", []),
        (
            "# keel: ignore KEL101 -- why until 2020-01-01",
            [
                (
                    "KEL004",
                    "# keel: ignore KEL101 -- why until 2020-01-01",
                    "expired on 2020-01-01, so this suppresses nothing",
                )
            ],
        ),
        (
            "# keel: ignore KEL101 -- until soon",
            [
                (
                    "KEL004",
                    "# keel: ignore KEL101 -- until soon",
                    "`until soon` is not a date (YYYY-MM-DD), so this suppresses nothing",
                )
            ],
        ),
        ("# noqa: F401, ABC101, PERF401", []),
        ("# keel: ignore[F401, PERF401] why", []),
        ("# ruff: ignore[unused-import]", []),
        ("# keel: the ship part", []),
        ("# keel: enabled in production", []),
        ("# keel: see KEL101", []),
        ("# keel: length 12", []),
        ("# noqa: KEL0", []),
    ],
)
def test_what_is_wrong_with_a_comment(comment: str, expected: list[tuple[str, str, str]]) -> None:
    assert said(f"a()  {comment}\n") == expected


@pytest.mark.parametrize(
    ("comment", "missing"),
    [
        ("# noqa: KEL101", True),
        ("# noqa: KEL101 --", True),
        ("# keel: ignore KEL101 -- until 2027-01-01", True),
        ("# ruff: ignore[KEL101]", True),
        ("# keel: disable KEL101", True),
        ("# noqa: F401", False),
        ("# noqa", False),
        ("# noqa: KEL101 # why", False),
        ("# keel: ignore KEL101 we-know-it", False),
        ("# keel: ignore[KEL101] why", False),
    ],
)
def test_a_reason_is_asked_for(comment: str, missing: bool) -> None:
    found = said(f"a()  {comment}\n", frozenset({"KEL003"}))
    assert [code for code, _, _ in found] == (["KEL003"] if missing else [])


@pytest.mark.parametrize(
    ("text", "rows", "after"),
    [
        ("a()\nb()\n", [1], "a()  # noqa: KEL101 -- why\nb()\n"),
        ("a()   \nb()\n", [1], "a()  # noqa: KEL101 -- why\nb()\n"),
        ("a()\r\nb()\r\n", [1, 2], "a()  # noqa: KEL101 -- why\r\nb()  # noqa: KEL101 -- why\r\n"),
        ("a()", [1], "a()  # noqa: KEL101 -- why"),
        ("a()  # note\n", [1], "a()  # note  # noqa: KEL101 -- why\n"),
        ("a('#')\n", [1], "a('#')  # noqa: KEL101 -- why\n"),
        ("a()  # noqa: F401 -- old\n", [1], "a()  # noqa: F401, KEL101 -- old\n"),
        ("a()  # noqa:F401,E501\n", [1], "a()  # noqa:F401,E501, KEL101 -- why\n"),
        ("a()  # noqa: F401 # note\r\n", [1], "a()  # noqa: F401, KEL101 # note\r\n"),
        ("a()  # noqa: kel101\n", [1], "a()  # noqa: kel101, KEL101 -- why\n"),
        ("a()  # noqa: KEL1\n", [1], "a()  # noqa: KEL1\n"),
        ("a()  # noqa\n", [1], "a()  # noqa\n"),
        ("a()  # keel: ignore KEL102 -- x\n", [1], "a()  # keel: ignore KEL102 -- x  # noqa: KEL101 -- why\n"),
        ('a("""x\ny""",\n 1)\n', [1], 'a("""x\ny""",  # noqa: KEL101 -- why\n 1)\n'),
        ("a(1) + \\\n  b()\n", [1], "a(1) + \\\n  b()  # noqa: KEL101 -- why\n"),
        ("a(1) + \\\n  b()\n", [1, 2], "a(1) + \\\n  b()  # noqa: KEL101 -- why\n"),
        ("\u00e9 = '\U0001f6a2'\n", [1], "\u00e9 = '\U0001f6a2'  # noqa: KEL101 -- why\n"),
    ],
)
def test_noqa_is_added(text: str, rows: list[int], after: str) -> None:
    source = source_of(text)
    edits = add_noqa(source, [finding(text, row) for row in rows], "why", REGISTRY)
    assert source.apply(edits).decode() == after
    assert set(rows) <= set(covered(f"{after}\n"))


def test_added_codes_are_sorted_and_need_no_reason() -> None:
    text = "a()\n"
    source = source_of(text)
    findings = [finding(text, 1, code) for code in ("KEL201", "KEL101", "KEL101", "KEL001")]
    assert source.apply(add_noqa(source, findings, "", REGISTRY)) == b"a()  # noqa: KEL101, KEL201\n"
    assert source.apply(add_noqa(source, findings[:1], "two\n lines", REGISTRY)) == b"a()  # noqa: KEL201 -- two lines\n"


@given(st.text("#keel: ignorenablduf-[]KEL1012,\t until 6(\n'\"\\", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    suppressions = parse(text)
    problems = suppressions.problems(EVERY, "/p/a.py")
    source = source_of(text)
    for one in problems:
        if one.fix:
            source.apply(one.fix.edits)
    add_noqa(source, [finding(text, row) for row in range(1, len(source.line_starts) + 1)], "why", REGISTRY)
