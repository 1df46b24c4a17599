"""What mkdocs is told beyond mkdocs.yml, so that the site has no text of its own: every page is one that GitHub shows too.

The README is the home page, with the list of all pages below it. That list, and the list of rules, are the navigation.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
GITHUB = "https://github.com/keel-lint/keel-lint/blob/main/"
HOME, CONTENTS, RULES = "index.md", "docs/README.md", "docs/rules/README.md"
WIDE = {"rules/README.md", "proofs.md"}
"""Pages that are tables: these take the room of the table of contents."""

_ENTRY = re.compile(r"^## (?P<section>.+)|^(?:- |\| )\[.+?\]\((?P<page>[^)]+\.md)\)", re.MULTILINE)
_HEADING = re.compile(r"^(?=#+ )", re.MULTILINE)
_CODE = r"^(?P<fence>```+).*?^(?P=fence)$|`[^`\n]+`"
_LINK = re.compile(rf"{_CODE}|\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(
    r'^```python(?P<title> title="[^"]*")?(?: flagged="(?P<row>\d+)")?\n(?P<code>.*?)^```$', re.DOTALL | re.MULTILINE
)
_ADDRESS = re.compile(r"^- (https?://\S+)$", re.MULTILINE)
_MARKED = re.compile(r"#(?: KEL\d{3})+$")


def on_config(config: MkDocsConfig) -> None:
    """Make the navigation: the sections and links of the list of pages, with those of the list of rules inside."""
    config.nav = navigation(CONTENTS)


def navigation(contents: str) -> list[Any]:
    """The pages that a list links to, each section with its own."""
    top: list[Any] = []
    section = top
    for entry in _ENTRY.finditer(_text(contents)):
        if entry["section"]:
            section = []
            top.append({entry["section"]: section})
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(contents), entry["page"]))
        section.append(_page(target))
        if target == RULES:
            section += navigation(RULES)
    return top


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the home page: the README, and all pages below it."""
    pages = _HEADING.sub("#", _relinked(_text(CONTENTS), CONTENTS))
    files.append(File.generated(config, HOME, content=f"{_relinked(_text('README.md'), 'README.md')}\n{pages}"))


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """What GitHub does by itself, and more: links that leave the folder, bare addresses, the flagged lines of examples."""
    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["toc"]
    if page.file.src_uri.startswith("rules/kel"):
        page.meta["search"] = {"boost": 4}  # who searches for the error that a worker died of wants the rule
    if page.file.src_uri != HOME:
        markdown = _relinked(markdown, f"docs/{page.file.src_uri}")
    return _EXAMPLE.sub(_coloured, _ADDRESS.sub(r"- <\1>", markdown))


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _page(target: str) -> str:
    """The name that a file of the repository has among the pages."""
    return HOME if target in ("README.md", CONTENTS) else target.removeprefix("docs/")


def _relinked(markdown: str, name: str) -> str:
    """The text of a file of the repository, whose links lead from its page to other pages, or to GitHub."""
    folder = posixpath.dirname(name)
    start = posixpath.dirname(_page(name))

    def moved(link: re.Match[str]) -> str:
        if link["target"] is None:
            return link[0]
        target = posixpath.normpath(posixpath.join(folder, link["target"]))
        if target != "README.md" and not target.startswith("docs/"):
            return f"]({GITHUB}{target})"
        anchor = "#documentation" if target == CONTENTS else link["anchor"] or ""
        return f"]({posixpath.relpath(_page(target), start or '.')}{anchor})"

    return _LINK.sub(moved, markdown)


def _coloured(example: re.Match[str]) -> str:
    marked = {row for row, line in enumerate(example["code"].splitlines(), 1) if _MARKED.search(line)}
    rows = sorted(marked | {int(example["row"])} if example["row"] else marked)
    colour = f' hl_lines="{" ".join(map(str, rows))}"' if rows else ""
    return f"```python{example['title'] or ''}{colour}\n{example['code']}```"
