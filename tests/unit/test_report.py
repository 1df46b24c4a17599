"""The reports: ruff's bytes where ruff has the format, and what only keel-lint says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec import structs
from msgspec.structs import replace

from keel_lint.finding import Edit, Finding, Fix, Hop, Span
from keel_lint.report import FORMATS, Counts, Report, notes, one_line, render, statistics
from keel_lint.report.diff import diff
from keel_lint.report.frame import frame
from keel_lint.report.line_hash import line_hashes
from keel_lint.report.style import Ink
from keel_lint.rule import Registry, RuleInfo
from keel_lint.source import Source

RUFF_RULES = "F401,E711,B015,B018,F541,W291,W292,PLR1722,SIM201"
BAD = """\
import os
import sys, re
from typing import (
    List,
)


def f(x):
\tif x == None:
\t\treturn  {"ключ": "漢字漢字"}; import json
\treturn x


s = "🙂é"; import json; s == "漢字"\t; s == 1
(1,
 s.x,

 3); [s,
   "\x0c"]
print(f"hello"); exit(1)<blanks>
if (f
      == None):
    pass
""".replace("<blanks>", "  ")
LONG = f"x = '{'a' * 200}'; x == 1\nx == 1; y = '{'b' * 200}'\nif 1:\n{' ' * 120}x == 1 + '{'c' * 90}'\n"
REPEATED = "x = 1\n" + "x == None\n" * 11 + "not x == 1"
CRLF = "import os\r\nx = 1\r\nx == (\r\n  None)\r\n"
FILES = {"bad.py": BAD, "pkg/long.py": LONG, "pkg/repeated.py": REPEATED, "crlf.py": CRLF}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    return tmp_path


def ruff(project: Path, *options: str) -> str:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", RUFF_RULES, *options, "."]
    return subprocess.run(command, cwd=project, capture_output=True, check=False).stdout.decode()


def as_findings(objects: Iterable[dict[str, Any]]) -> list[Finding]:
    """ruff's findings as our own."""

    def finding(found: dict[str, Any]) -> Finding:
        source = Source.read(Path(found["filename"]))
        fix = found["fix"] and Fix(
            found["fix"]["message"],
            found["fix"]["applicability"],
            tuple(Edit(span_of(source, edit), edit["content"]) for edit in found["fix"]["edits"]),
        )
        where = (found["filename"], span_of(source, found), found["noqa_row"])
        return Finding(found["code"], found["name"], "correctness", found["message"], *where, fix=fix)

    return [finding(found) for found in objects]


def span_of(source: Source, where: dict[str, Any]) -> Span:
    def offset(place: dict[str, int]) -> int:
        if place["row"] > len(source.line_starts):
            return len(source.text)
        start = source.line_starts[place["row"] - 1]
        return start + len(source.text[start:].decode()[: place["column"] - 1].encode())

    start, end = where["location"], where["end_location"]
    return Span(offset(start), offset(end), start["row"], start["column"], end["row"], end["column"])


def info(code: str = "KEL101", slug: str = "delay-in-atomic", file: Path = Path()) -> RuleInfo:
    return RuleInfo(
        code=code,
        slug=slug,
        group="reliability",
        engine="celery",
        title="Delay in atomic",
        fix=None,
        status="stable",
        default=None,
        judges=(),
        versions="",
        proof="PENDING",
        module="pack.delay_in_atomic",
        file=file,
        changed=0,
    )


def read(path: str) -> Source:
    return Source.read(Path(path))


def report_of(root: Path, findings: Iterable[Finding], **changes: Any) -> Report:
    found = list(findings)
    rules = {finding.code: info(slug=finding.slug) for finding in found}
    return replace(Report(found, root, root, read, Registry(rules)), **changes)


def without_our_own(text: str) -> str:
    """`text` without the names, addresses and lines in which a report of ours must differ from ruff's."""
    text = re.sub(r"^ *= see: .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'"(url|fingerprint)": ?"[^"]*"', "", text)
    return text.replace("keel-lint", "ruff").replace("\r\n", "\n")  # a diff of ruff's keeps the file's line endings


def without_keel(format: str, text: str) -> str:  # noqa: A002
    if format == "json":
        bare = [{key: value for key, value in found.items() if key != "keel"} for found in json.loads(text)]
        return json.dumps(bare, indent=2, ensure_ascii=False)
    if format == "json-lines":
        lines = [json.loads(line) for line in text.splitlines()]
        bare = [{key: value for key, value in found.items() if key != "keel"} for found in lines]
        return "".join(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n" for found in bare)
    return text


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("format", [name for name in FORMATS if name != "sarif"])
def test_a_report_is_what_ruff_prints(project: Path, format: str, unsafe: bool) -> None:  # noqa: A002
    findings = as_findings(json.loads(ruff(project, "--output-format", "json")))
    assert len({finding.code for finding in findings}) > 7
    report = report_of(project, findings, unsafe_fixes=unsafe)
    expected = ruff(project, "--output-format", format, *["--unsafe-fixes"] * unsafe)
    assert without_our_own(without_keel(format, render(format, report))) == without_our_own(expected)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "sarif"])
def test_a_clean_report_is_what_ruff_prints(tmp_path: Path, format: str) -> None:  # noqa: A002
    (tmp_path / "clean.py").write_text("x = 1\n")
    expected = ruff(tmp_path, "--output-format", format)
    assert without_our_own(render(format, report_of(tmp_path, []))) == without_our_own(expected)


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("format", ["full", "json"])
def test_statistics_are_what_ruff_prints(project: Path, format: str, unsafe: bool) -> None:  # noqa: A002
    findings = as_findings(json.loads(ruff(project, "--output-format", "json")))
    expected = ruff(project, "--statistics", "--output-format", format, *["--unsafe-fixes"] * unsafe)
    assert statistics(report_of(project, findings, unsafe_fixes=unsafe), format) == expected


def test_statistics_have_no_other_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`sarif`"):
        statistics(report_of(tmp_path, []), "sarif")
    assert statistics(report_of(tmp_path, []), "full") == ""


def test_the_fixes_that_were_made_are_shown_as_ruff_shows_them(project: Path) -> None:
    before = as_findings(json.loads(ruff(project, "--output-format", "json")))
    expected = ruff(project, "--output-format", "concise", "--fix", "--show-fixes")
    after = as_findings(json.loads(ruff(project, "--output-format", "json")))
    total = int(re.findall(r"Fixed (\d+) errors", expected)[0])
    fixed: dict[str, dict[str, int]] = {}
    for path, number, code in re.findall(r"^- (.*):$|^ +(\d+) × (\w+)", expected, re.MULTILINE):  # noqa: RUF001
        if path:
            codes = fixed.setdefault(str(project / path), {})
        else:
            codes[code] = int(number)
    rules = {finding.code: info(finding.code, finding.slug) for finding in before}
    report = report_of(project, after, fixed=fixed, show_fixes=True, rules=Registry(rules))
    assert total == sum(sum(codes.values()) for codes in fixed.values())
    assert render("concise", report) == expected


def test_a_quiet_report_has_findings_only(project: Path) -> None:
    findings = as_findings(json.loads(ruff(project, "--output-format", "json")))
    report = report_of(project, findings, quiet=True)
    for format in ("full", "concise", "grouped"):  # noqa: A001
        assert without_our_own(render(format, report)) == without_our_own(ruff(project, "-q", "--output-format", format))


VIEWS = """\
from django.db import transaction

from app.services import pay


def view(request):
    with transaction.atomic():
        pay(request.POST["id"])
"""
SERVICES = 'from app.tasks import send\n\n\ndef pay(pk):\n    send.delay(pk)  # "漢字"\n'
DOCUMENTATION = '"""Delay in atomic.\n\n## What it does\nFinds a dispatch inside an open transaction.\n"""\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/views.py").write_text(VIEWS, encoding="utf-8")
    (tmp_path / "app/services.py").write_text(SERVICES, encoding="utf-8")
    (tmp_path / "kel101.py").write_text(DOCUMENTATION)
    return tmp_path


def at(file: Path, text: str) -> Span:
    source = Source.read(file)
    start = source.text.index(text.encode())
    return source.span(start, start + len(text.encode()))


def dispatch(shop: Path, *, elsewhere: bool = False) -> Finding:
    """A finding with a path through two files, whose fix may touch both."""
    views, services = shop / "app/views.py", shop / "app/services.py"
    edits = [Edit(at(services, "delay"), "delay_on_commit")]
    edits += [Edit(Span(0, 0, 1, 1, 1, 1), "import os\n", str(views))] * elsewhere
    return Finding(
        "KEL101", "delay-in-atomic", "reliability", "`send` is dispatched inside a transaction",
        str(services), at(services, "send.delay(pk)"), 5, "pay",
        Fix("Dispatch on commit", "unsafe", tuple(edits)),
        (
            Hop(str(views), at(views, "with transaction.atomic():"), "`view` opens a transaction"),
            Hop(str(views), at(views, 'pay(request.POST["id"])'), "call to `app.services.pay`"),
        ),
        "f00d",
    )  # fmt: skip


def shop_report(shop: Path, *findings: Finding, **changes: Any) -> Report:
    return report_of(shop, findings, rules=Registry({"KEL101": info(file=shop / "kel101.py")}), **changes)


def test_a_path_is_told_hop_by_hop(shop: Path) -> None:
    assert (
        render("full", shop_report(shop, dispatch(shop, elsewhere=True)))
        == """\
KEL101 `send` is dispatched inside a transaction
 --> app/services.py:5:5
  |
4 | def pay(pk):
5 |     send.delay(pk)  # "漢字"
  |     ^^^^^^^^^^^^^^
path 1: `view` opens a transaction
 --> app/views.py:7:5
  |
7 |     with transaction.atomic():
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
path 2: then call to `app.services.pay`
 --> app/views.py:8:9
  |
8 |         pay(request.POST["id"])
  |         ^^^^^^^^^^^^^^^^^^^^^^^
help: Dispatch on commit
  |
4 | def pay(pk):
  -     send.delay(pk)  # "漢字"
5 +     send.delay_on_commit(pk)  # "漢字"
  |
 --> app/views.py
  |
1 + import os
2 | from django.db import transaction
  |
note: This is an unsafe fix and may change runtime behavior
  = see: https://github.com/keel-lint/keel-lint/blob/main/docs/rules/kel101-delay-in-atomic.md

Found 1 error.
1 unsafe fix available with `--fix --unsafe-fixes`.
"""
    )


def test_a_hop_that_is_the_finding_is_not_shown_twice(shop: Path) -> None:
    found = dispatch(shop)
    hop = Hop(found.path, found.span, "calls `pay`")
    shown = render("full", shop_report(shop, structs.replace(found, hops=(hop, *found.hops))))
    assert shown.count('send.delay(pk)  # "漢字"\n  |     ^') == 1
    assert "\npath 1: calls `pay`\n --> app/services.py:5:5\npath 2: then `view` opens a transaction\n" in shown


def test_formats_of_one_line_carry_the_path(shop: Path) -> None:
    via = "(via `view` opens a transaction -> call to `app.services.pay`)"
    assert one_line(dispatch(shop)) == f"`send` is dispatched inside a transaction {via}"
    for format in ("concise", "grouped", "github", "pylint", "azure", "gitlab", "junit", "rdjson"):  # noqa: A001
        assert via.replace(">", "&gt;" if format == "junit" else ">") in render(format, shop_report(shop, dispatch(shop)))


def test_json_says_under_keel_what_ruff_has_no_place_for(shop: Path) -> None:
    (found,) = json.loads(render("json", shop_report(shop, dispatch(shop))))
    assert found["keel"]["path"][0] == {
        "filename": str(shop / "app/views.py"),
        "location": {"row": 7, "column": 5},
        "end_location": {"row": 7, "column": 31},
        "what": "`view` opens a transaction",
    }
    assert (found["keel"]["group"], found["keel"]["fingerprint"], found["keel"]["fix"]) == ("reliability", "f00d", None)
    assert (found["severity"], found["noqa_row"], found["filename"]) == ("error", 5, str(shop / "app/services.py"))
    assert [edit["content"] for edit in found["fix"]["edits"]] == ["delay_on_commit"]


def test_json_keeps_a_fix_of_several_files_from_tools_that_know_one(shop: Path) -> None:
    (found,) = json.loads(render("json", shop_report(shop, dispatch(shop, elsewhere=True))))
    assert found["fix"] is None
    names = [edit["filename"] for edit in found["keel"]["fix"]["edits"]]
    assert names == [str(shop / "app/services.py"), str(shop / "app/views.py")]
    assert "suggestions" not in render("rdjson", shop_report(shop, dispatch(shop, elsewhere=True)))


def test_sarif_holds_path_fix_fingerprints_and_suppressions(shop: Path) -> None:
    finding = dispatch(shop, elsewhere=True)
    report = shop_report(shop, finding, suppressed=[(finding, "replayed by hand"), (finding, "")], counts=Counts(test_files=3))
    (run,) = json.loads(render("sarif", report))["runs"]
    result, reasoned, bare = run["results"]
    location = result["locations"][0]["physicalLocation"]
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": f"{shop.as_uri()}/"}}
    assert run["columnKind"] == "unicodeCodePoints"
    assert location["artifactLocation"] == {"uri": "app/services.py", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 19}
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"] for step in steps] == [
        *(hop.what for hop in finding.hops),
        finding.message,
    ]
    assert ["importance" in step for step in steps] == [True, False, True]
    assert [change["artifactLocation"]["uri"] for change in result["fixes"][0]["artifactChanges"]] == [
        "app/services.py",
        "app/views.py",
    ]
    assert result["partialFingerprints"] == {"primaryLocationLineHash": line_hashes(SERVICES)[4], "keelFinding/v1": "f00d"}
    assert "suppressions" not in result
    assert reasoned["suppressions"] == [{"kind": "inSource", "status": "accepted", "justification": "replayed by hand"}]
    assert bare["suppressions"] == [{"kind": "inSource", "status": "accepted"}]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["fullDescription"]["text"] == "Finds a dispatch inside an open transaction."
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].startswith("3 test files left out")


def test_sarif_descriptions_are_as_short_as_github_wants_them(shop: Path) -> None:
    (shop / "kel101.py").write_text(f'"""Delay in atomic.\n\n## What it does\n{"word " * 400}\n"""\n')
    (run,) = json.loads(render("sarif", shop_report(shop, dispatch(shop))))["runs"]
    assert 1000 < len(run["tool"]["driver"]["rules"][0]["fullDescription"]["text"]) <= 1024


def test_sarif_of_a_file_that_is_gone_or_named_oddly_has_no_line_hash(shop: Path) -> None:
    finding = dispatch(shop)
    gone = Finding("KEL001", "unparsable", "internal", "gone", str(shop / "a b%\udc80.py"), Span(0, 0, 1, 1, 1, 1), 1)
    outside = replace_path(finding, "/elsewhere/ü.py")
    (run,) = json.loads(render("sarif", shop_report(shop, gone, outside)))["runs"]
    locations = {result["ruleId"]: result["locations"][0]["physicalLocation"] for result in run["results"]}
    assert locations["KEL001"]["artifactLocation"] == {"uri": "a%20b%25%80.py", "uriBaseId": "%SRCROOT%"}
    assert locations["KEL101"]["artifactLocation"] == {"uri": "file:///elsewhere/%C3%BC.py"}
    assert run["tool"]["driver"]["rules"][0] == {"id": "KEL001", "name": "unparsable"}
    for format in FORMATS:  # noqa: A001
        render(format, shop_report(shop, gone)).encode()


def replace_path(finding: Finding, path: str) -> Finding:
    return Finding(finding.code, finding.slug, finding.group, finding.message, path, finding.span, finding.noqa_row)


def test_a_second_finding_of_one_fingerprint_has_its_own_at_gitlab(shop: Path) -> None:
    twice = json.loads(render("gitlab", shop_report(shop, dispatch(shop), dispatch(shop))))
    assert twice[0]["fingerprint"] == "f00d"
    assert twice[1]["fingerprint"] != "f00d"


@pytest.mark.parametrize(
    ("format", "start"),
    [
        ("github", "::error title=keel-lint (KEL101),file=%2Fa%25%2C%3Ab]; .py".replace("%2F", "/")),
        ("azure", "##vso[task.logissue type=error;sourcepath=/a%AZP25,:b%5D%3B .py;"),
    ],
)
def test_a_command_cannot_be_broken_by_a_file_name(shop: Path, format: str, start: str) -> None:  # noqa: A002
    assert render(format, shop_report(shop, replace_path(dispatch(shop), "/a%,:b]; .py"))).startswith(start)


def test_junit_is_xml_whatever_the_message_says(shop: Path) -> None:
    finding = Finding("KEL101", "x", "practice", "<a> & \x1b \"b\" 'c'\n]]>", "/a&b.py", Span(0, 0, 1, 1, 1, 1), 1)
    failure = ElementTree.fromstring(render("junit", shop_report(shop, finding))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "<a> & \ufffd \"b\" 'c' ]]>"


def test_notes_say_what_was_left_out() -> None:
    report = report_of(Path("/"), [], counts=Counts(files=5, test_files=1, template_files=2, unresolved_calls=3))
    assert [note.split(";")[0].split(":")[0] for note in notes(report)] == [
        "1 test file left out",
        "2 template files left out",
        "3 calls could not be resolved",
    ]
    assert notes(report_of(Path("/"), [], counts=Counts(files=5))) == []


def test_colour_changes_no_character(shop: Path) -> None:
    for format in ("full", "concise", "grouped"):  # noqa: A001
        plain = render(format, shop_report(shop, dispatch(shop, elsewhere=True)))
        painted = render(format, shop_report(shop, dispatch(shop, elsewhere=True), color=True))
        assert painted != plain
        assert re.sub(r"\x1b\[[\d;]*m", "", painted) == plain


def frame_of(text: str, marked: str, width: int = 140) -> list[str]:
    source = Source.from_bytes(Path("x.py"), text.encode())
    start = source.text.index(marked.encode())
    found = frame(source, source.span(start, start + len(marked.encode())))
    assert found is not None
    return list(found.lines(Ink(False), found.digits, width))


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("before", ["", "a" * 100, "漢" * 50, "é" * 99, "\t" * 30])
@pytest.mark.parametrize("after", ["", "b" * 100, "字" * 51])
def test_a_cut_line_keeps_what_is_marked_and_the_width(width: int, before: str, after: str) -> None:
    lines = frame_of(f"{before}  call()  {after}\n", "call()", width)
    assert "call()" in lines[1]
    column = cells(lines[1][: lines[1].index("call()")])
    assert lines[2] == "  |" + " " * (column - 3) + "^^^^^^"
    assert all(cells(line) <= width for line in lines)


def cells(text: str) -> int:
    return sum(2 if character in "漢字" else 1 for character in text)


def test_a_long_stretch_is_shown_by_its_ends() -> None:
    call = "f(\n" + "".join(f"    {number},\n" for number in range(100)) + ")"
    lines = frame_of(f"x = {call}\n", call)
    assert len(lines) < 20
    assert lines[1:3] == ["  1 |   x = f(", "    |  _____^"]
    assert "    | | …" in lines
    assert lines[-2:] == ["102 | | )", "    | |_^"]


def test_what_could_drive_a_terminal_is_shown_as_a_picture() -> None:
    assert frame_of("x = '\x1b[2J\u202e\u200d'; y\n", "y")[1] == "1 | x = '␛[2J\ufffd'; y"
    source = Source.from_bytes(Path("x.py"), b"x = '\x1b'\n")
    assert diff(source, [Edit(source.span(0, 1), "y")], Ink(False))[1:3] == ["  - x = '␛'", "1 + y = '␛'"]


def test_a_frame_outside_the_text_is_none() -> None:
    assert frame(Source.from_bytes(Path("x.py"), b""), Span(0, 0, 1, 1, 1, 1)) is None
    assert frame(Source.from_bytes(Path("x.py"), b"x"), Span(9, 9, 9, 1, 9, 1)) is None


def test_the_source_that_cannot_be_read_has_no_frame(shop: Path) -> None:
    finding = replace_path(dispatch(shop), str(shop / "gone.py"))
    assert render("full", shop_report(shop, finding, quiet=True)).splitlines()[:2] == [
        "KEL101 `send` is dispatched inside a transaction",
        "--> gone.py:5:5",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (" a\nb\n  \t\tc\n d", ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]),
        (
            " hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n",
            [
                "e9496ae3ebfced30:1",
                "fb7c023a8b9ccb3f:1",
                "ce8ba1a563dcdaca:1",
                "e20e36e16fcb0cc8:1",
                "b3edc88f2938467e:1",
                "c8e28b0b4002a3a0:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
    ],
)
def test_line_hashes_are_those_of_github(text: str, expected: list[str]) -> None:
    assert line_hashes(text) == expected


def test_line_hashes_count_lines_of_one_hash() -> None:
    assert line_hashes("Lorem ipsum dolor sit amet.\n" * 10)[5:] == [
        "a7f2ff13bc495cf2:6",
        "a7f2ff1481e87703:1",
        "a9cf91f7bbf1862b:1",
        "55ec222b86bcae53:1",
        "cc97dc7b1d7d8f7b:1",
        "c129715d7a2bc9a3:1",
    ]


def test_only_the_chosen_format_is_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from keel_lint.report import *; from keel_lint.rule import Registry\n"
        "render('concise', Report([], Path('/'), Path('/'), None, Registry({})))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('keel_lint.report.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == [f"keel_lint.report.{name}" for name in ("concise", "style", "summary")]
