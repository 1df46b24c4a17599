"""The documentation as a site: it builds, every link in it leads somewhere, and every rule is found."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from keel_lint.rule import Registry

ROOT = Path(__file__).parent.parent
LOADED = {("link", "href"), ("script", "src"), ("img", "src")}
EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
MARKDOWN = re.compile(r"\]\(|\*\*|``|^\s*[-|] |^#+ |https?://", re.MULTILINE)


class Page(HTMLParser):
    """What is looked at in a page: what it links to, what it loads, its anchors, the links of its navigation, its prose."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.navigation: list[str] = []
        self.prose: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif (tag, name) in LOADED and value:
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)
                if "nav" in self._open:
                    self.navigation.append(value)
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "article" in self._open and not {"a", "code", "pre", "script", "nav"} & set(self._open):
            self.prose.append(data)


def read(site: Path) -> dict[str, Page]:
    """The pages of a site by their paths."""
    return {file.relative_to(site).as_posix(): Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def target(page: str, link: str) -> str:
    """The file of the site that a link on a page leads to."""
    path = unquote(urldefrag(link).url)
    joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(page), path)).lstrip("/") if path else page
    return joined if posixpath.splitext(joined)[1] else posixpath.join(joined, "index.html").removeprefix("./")


def complaints(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """What is wrong in a site: what leads nowhere, what needs the network, what was not rendered."""
    for name, page in pages.items():
        for link in page.links + page.loads:
            if urlsplit(link).scheme:
                if link in page.loads:
                    yield f"{name} loads {link}"
            elif not (site / target(name, link)).is_file():
                yield f"{name} links to {link}"
            elif (anchor := unquote(urldefrag(link).fragment)) and anchor not in pages[target(name, link)].anchors:
                yield f"{name} links to {link}, which is no anchor"
        yield from (f"{name} shows {text!r}" for text in page.prose if MARKDOWN.search(text))
    for sheet in site.rglob("*.css"):
        yield from (
            f"{sheet.name} loads {url}" for url in re.findall(r"url\((https?:[^)]+)", sheet.read_text(encoding="utf-8"))
        )


def reached(pages: Mapping[str, Page]) -> set[str]:
    """The pages to which the navigation leads from the first one."""
    found, waiting = {"index.html"}, ["index.html"]
    while waiting:
        name = waiting.pop()
        linked = {target(name, link) for link in pages[name].navigation if not urlsplit(link).scheme} & pages.keys()
        waiting += linked - found
        found |= linked
    return found


def words(site: Path) -> dict[str, set[str]]:
    """What the search box knows: the words of each page by its address."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for section in index["docs"]:
        text = re.sub(r"<[^>]+>", " ", f"{section['title']} {section['text']}").lower()
        found[urldefrag(section["location"]).url].update(re.split(index["config"]["separator"], text))
    return found


def test_the_site(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    pages = read(tmp_path)
    assert list(complaints(tmp_path, pages)) == []

    rules = Registry.installed().rules.values()
    assert {f"rules/{Path(info.page).stem}/index.html" for info in rules} <= reached(pages)
    known = words(tmp_path)
    for info in rules:
        assert {info.code.lower(), *info.slug.split("-")} <= known[f"rules/{Path(info.page).stem}/"]
    assert "doesnotexist" in known["rules/kel101-delay-in-atomic/"]


def test_what_is_wrong_in_a_site_is_said(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<link href="site.css"><script src="https://cdn.example.org/x.js"></script><h1 id="top"></h1>'
        '<a href="#top"></a><a href="#bottom"></a><a href="nowhere/"></a><a href="https://example.org"></a>'
        "<article><p>see [this](that)</p><pre>[this](that)</pre></article>"
    )
    (tmp_path / "site.css").write_text("@font-face { src: url(https://fonts.example.org/a.woff) }")
    assert list(complaints(tmp_path, read(tmp_path))) == [
        "index.html links to #bottom, which is no anchor",
        "index.html links to nowhere/",
        "index.html loads https://cdn.example.org/x.js",
        "index.html shows 'see [this](that)'",
        "site.css loads https://fonts.example.org/a.woff",
    ]
