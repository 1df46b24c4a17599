"""A rule's documentation: read from the docstring of its file, checked, and written as a page.

The docstring is Markdown under fixed headings. Its fenced Python blocks are the rule's tests: those under *Example* are flagged
where they say so, those under *Use instead* are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from keel_lint import proofs
from keel_lint.record import Record

if TYPE_CHECKING:
    from keel_lint.rule import RuleInfo

Kind = Literal["text", "open", "code", "close"]

FLAGGED = "Example"
SILENT = "Use instead"
HEADINGS: tuple[str, ...] = (
    "What it does",
    "Why is this bad?",
    FLAGGED,
    SILENT,
    "Fix safety",
    "Known missed alarms",
    "Options",
    "References",
)
SILENT_CASES = 3

_FILE = "example.py"
_HEADING = re.compile(r"## (.+?)\s*\Z")
_SUBHEADING = re.compile(r"#{3,} (.+?)\s*\Z")
_FENCE = re.compile(r"(?P<marks>```+|~~~+)[ \t]*(?P<info>.*?)\s*\Z")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_MARK = re.compile(r"#[ \t]*((?:[A-Z]{3}\d{3})(?:[ \t]+[A-Z]{3}\d{3})*)[ \t]*\Z")
_URL = re.compile(r"https?://[^\s)>\]]+")


class Example(Record, frozen=True):
    """One example: its files by path, and the codes that are marked, by path, as (row, code).

    `heading` is the subheading it stands under, empty where there is none. Markers stay in the text.
    """

    files: dict[str, str]
    marks: dict[str, list[tuple[int, str]]]
    flagged: bool
    heading: str


class Page(Record, frozen=True):
    """A rule's documentation: the text before the first heading, the sections by heading in their order, the examples."""

    introduction: str
    sections: dict[str, str]
    headings: tuple[str, ...]
    examples: tuple[Example, ...]


class _Block(Record, frozen=True):
    section: str
    heading: str
    title: str
    text: str
    flagged_rows: tuple[int, ...]

    def marks(self, code: str) -> list[tuple[int, str]]:
        """The rows that are flagged: those that end in a marker, and those that the fence names."""
        found = [(row, code) for row in self.flagged_rows]
        for row, line in enumerate(self.text.splitlines(), 1):
            marker = _MARK.search(line)
            found += [(row, name) for name in marker[1].split()] if marker else []
        return sorted(found)


def parse(info: RuleInfo) -> Page:
    """The documentation of a rule."""
    return parse_text(info.documentation, info.code)


def parse_text(documentation: str, code: str) -> Page:
    """The documentation of the rule `code`, which is what a fence's `flagged="3,7"` stands for."""
    sections: dict[str, list[str]] = {"": []}
    headings: list[str] = []
    for kind, section, line in _lines(documentation):
        heading = _HEADING.match(line) if kind == "text" else None
        if heading:
            headings.append(heading[1])
            sections.setdefault(heading[1], [])
        else:
            sections[section].append(line)
    texts = {name: "\n".join(lines).strip() for name, lines in sections.items()}
    return Page(texts.pop(""), texts, tuple(headings), tuple(_examples(documentation, code)))


def _lines(documentation: str) -> Iterator[tuple[Kind, str, str]]:
    """Each line: whether it opens or closes a fence or stands in one, the section it stands in, and the line."""
    section, fence = "", ""
    for line in documentation.splitlines():
        heading, found = _HEADING.match(line), _FENCE.match(line)
        if fence:
            closes = line.rstrip() == fence
            yield "close" if closes else "code", section, line
            fence = "" if closes else fence
            continue
        fence = found["marks"] if found else ""
        yield "open" if found else "text", section, line
        section = heading[1] if heading else section


def _examples(documentation: str, code: str) -> Iterator[Example]:
    """The examples: titled blocks that follow each other are files of one, until a title comes again or a heading."""
    group: list[_Block] = []
    for block in _blocks(documentation):
        if group and not _belongs(block, group):
            yield _example(group, code)
            group = []
        group.append(block)
    if group:
        yield _example(group, code)


def _belongs(block: _Block, group: Sequence[_Block]) -> bool:
    titles = {other.title for other in group}
    same_place = (block.section, block.heading) == (group[0].section, group[0].heading)
    return same_place and block.title != "" and "" not in titles and block.title not in titles


def _example(blocks: Sequence[_Block], code: str) -> Example:
    first = blocks[0]
    return Example(
        files={block.title or _FILE: block.text for block in blocks},
        marks={block.title or _FILE: block.marks(code) for block in blocks},
        flagged=first.section == FLAGGED,
        heading=first.heading,
    )


def _blocks(documentation: str) -> Iterator[_Block]:
    """The fenced Python blocks under *Example* and *Use instead*."""
    heading, info = "", ""
    body: list[str] = []
    for kind, section, line in _lines(documentation):
        if kind == "text":
            subheading = _SUBHEADING.match(line)
            heading = subheading[1] if subheading else "" if _HEADING.match(line) else heading
        elif kind == "open":
            info, body = _FENCE.sub(r"\g<info>", line), []
        elif kind == "code":
            body.append(line)
        elif section in (FLAGGED, SILENT) and info.split()[:1] == ["python"]:
            yield _block(section, heading, info, body)


def _block(section: str, heading: str, info: str, body: Sequence[str]) -> _Block:
    attributes = dict(_ATTRIBUTE.findall(info))
    rows = tuple(int(row) for row in attributes.get("flagged", "").replace(",", " ").split())
    return _Block(section, heading, attributes.get("title", ""), "\n".join([*body, ""]), rows)


def problems(info: RuleInfo) -> list[str]:
    """What is wrong with a rule's documentation, one line each; empty where nothing is."""
    page = parse(info)
    return [f"{info.code}: {line}" for line in (*_heading_problems(page), *_example_problems(page, info))]


def _heading_problems(page: Page) -> Iterator[str]:
    yield from (f"no heading `## {name}`" for name in HEADINGS if name not in page.headings)
    yield from (f"unknown heading `## {name}`" for name in page.headings if name not in HEADINGS)
    if len(set(page.headings)) != len(page.headings):
        yield "a heading stands there twice"
    known = [name for name in dict.fromkeys(page.headings) if name in HEADINGS]
    if known != sorted(known, key=HEADINGS.index):
        yield f"the headings are out of order: {', '.join(known)}"
    yield from (f"nothing stands under `## {name}`" for name, text in page.sections.items() if not text)
    if not _URL.search(page.sections.get("References", "")):
        yield "no address under `## References`"


def _example_problems(page: Page, info: RuleInfo) -> Iterator[str]:
    flagged = [example for example in page.examples if example.flagged]
    silent = [example for example in page.examples if not example.flagged]
    if info.engine != "keel":  # what keel says of itself needs no engine's code, and some of it nobody writes on purpose
        yield from _missing_examples(len(flagged), len(silent))
    yield from (
        f"the example under `## {FLAGGED}` marks no line: {next(iter(example.files))}"
        for example in flagged
        if not any(example.marks.values())
    )
    if any(rows for example in silent for rows in example.marks.values()):
        yield f"a line is marked under `## {SILENT}`"
    others = {name for example in page.examples for rows in example.marks.values() for _, name in rows} - {info.code}
    yield from (f"an example marks {name}, which is another rule" for name in sorted(others))


def _missing_examples(flagged: int, silent: int) -> Iterator[str]:
    if not flagged:
        yield f"no example under `## {FLAGGED}`"
    if silent < SILENT_CASES:
        yield f"{silent} examples under `## {SILENT}`, of {SILENT_CASES} at least"


def fix_availability(info: RuleInfo) -> str:
    """Whether the rule has a fix, as a sentence."""
    if info.fix is None:
        return "It has no fix."
    if info.fix == "safe":
        return "It has a safe fix: `--fix` applies it."
    if info.fix == "unsafe":
        return "It has an unsafe fix: `--fix --unsafe-fixes` applies it."
    return "It shows a change that it never applies."


def facts(info: RuleInfo) -> str:
    """What is known of the rule besides its text, as one paragraph of sentences."""
    engine = {"celery": "Celery", "temporal": "Temporal", "keel": "keel-lint itself"}[info.engine]
    versions = f" {info.versions}" if info.versions else ""
    status = " It is in preview." if info.status == "preview" else ""
    default = "on" if info.on_by_default else "off"
    return f"Group **{info.group}**, for **{engine}**{versions}, {default} by default.{status} {fix_availability(info)}"


def page(info: RuleInfo) -> str:
    """The page of a rule as Markdown: its name, what is known of it, its documentation, what was seen of it."""
    parts = (f"# {info.slug} ({info.code})", facts(info), info.documentation.strip(), proofs.section(info))
    return "\n\n".join(filter(None, parts)) + "\n"


def brief(info: RuleInfo) -> str:
    """The page as it fits a terminal: of the examples of each kind the first, and where the others are, if anywhere."""
    if info.url is None:
        return page(info)
    text = "\n".join(_with_first_examples(info)).strip()
    parts = (f"# {info.slug} ({info.code})", facts(info), text, proofs.section(info))
    return "\n\n".join(filter(None, parts)) + "\n"


def _with_first_examples(info: RuleInfo) -> Iterator[str]:
    """The documentation's lines, those of each section cut behind the files of its first example."""
    kinds = {FLAGGED: True, SILENT: False}
    examples = parse(info).examples
    of_section = {name: [one for one in examples if one.flagged == flagged] for name, flagged in kinds.items()}
    left = {name: len(found[0].files) for name, found in of_section.items() if found}
    is_python = False
    for kind, section, line in _lines(info.documentation):
        is_heading = kind == "text" and _HEADING.match(line)
        if left.get(section) == 0 and not is_heading:
            continue
        yield line
        if kind == "open":
            is_python = _FENCE.sub(r"\g<info>", line).split()[:1] == ["python"]
        if kind == "close" and is_python and section in left:
            left[section] -= 1
            if not left[section]:
                more = len(of_section[section]) - 1
                yield from ("", f"{more} more: {info.url}", "") if more else ("",)
