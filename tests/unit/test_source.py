"""`Source`: what Python can decode is read as Python reads it, and edits leave every other byte alone."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keel_lint.finding import Edit
from keel_lint.source import Source, SourceError

PATH = Path("/project/a.py")
COOKIES = ["utf-8", "utf8", "UTF-8-unix", "utf_8_sig", "latin-1", "latin-1-unix", "iso-8859-15", "cp1252", "ascii", "koi8-r",
           "shift_jis", "euc_jp", "iso2022_jp", "utf-7", "gb18030", "big5"]  # fmt: skip
LETTERS = "aéЖあ中𝄞€ \t+-~\\"


def source(text: str, cookie: str = "") -> Source:
    head = f"# coding: {cookie}\n" if cookie else ""
    return Source.from_bytes(PATH, (head + text).encode(cookie or "utf-8"))


def edit(of: Source, start: int, end: int, content: str) -> Edit:
    return Edit(of.span(start, end), content)


@pytest.mark.parametrize("cookie", COOKIES)
@given(data=st.data())
def test_decodes_as_python_does(cookie: str, data: st.DataObject) -> None:
    codec = cookie.removesuffix("-unix")
    text = data.draw(st.text([letter for letter in LETTERS if encodable(letter, codec)], max_size=5))
    raw = f"# -*- coding: {cookie} -*-\nx = {text!r}\n".encode(codec)
    scope: dict[str, str] = {}
    exec(compile(raw, "a.py", "exec"), scope)
    ours: dict[str, str] = {}
    exec(Source.from_bytes(PATH, raw).text.decode(), ours)
    assert ours["x"] == scope["x"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"# coding: latin-1\nx = '\xe9'\n", "x = 'é'\n"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\nx = '\xe9'\n", "x = 'é'\n"),
        (b"# a\r# coding: latin-1\rx = '\xe9'\r", "x = 'é'\r"),
        (b"# a\r\n# coding: latin-1\r\nx = '\xe9'\r\n", "x = 'é'\r\n"),
        (b"\x0c \t# coding=latin-1\nx = '\xe9'\n", "x = 'é'\n"),
        (b"\n# coding: latin-1\nx = '\xe9'\n", "x = 'é'\n"),
        (b"# Jos\xe9\n# coding: latin-1\nx = '\xe9'\n", "x = 'é'\n"),
        (b"#" * 3000 + b"\n# coding: latin-1\nx = '\xe9'\n", "x = 'é'\n"),
    ],
)
def test_finds_the_cookie(raw: bytes, text: str) -> None:
    found = Source.from_bytes(PATH, raw)
    assert found.text.decode().endswith(text)
    assert found.encoding == "iso8859-1"
    assert found.apply([]) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"x = 1\n# coding: latin-1\n\xe9",
        b"'''\n# coding: latin-1\n'''\xe9",
        b"# a\n# b\n# coding: latin-1\n\xe9",
        b"# a\r# b\r# coding: latin-1\r\xe9",
    ],
)
def test_a_cookie_elsewhere_is_none(raw: bytes) -> None:
    with pytest.raises(SyntaxError):
        compile(raw, "a.py", "exec")
    with pytest.raises(SourceError, match=r"not valid UTF-8: .* at byte"):
        Source.from_bytes(PATH, raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x = 1\0\n", "null bytes"),
        ("x = 1\n".encode("utf-16"), "null bytes"),
        (b"# coding: utf-16-le\nx=1\n", "not written in utf-16-le"),
        (b"# coding: cp037\nx = 1\n", "not written in cp037"),
        (b"# coding: nonsense\n", "unknown encoding: nonsense"),
        (b"# coding: rot13\n", "not a text encoding"),
        (b"# coding: ascii\n# \xe9\n", "ascii"),
        (b"# coding: cp1252\n# \x81\n", "0x81"),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n", "byte order mark"),
        (b"x='\xff'\n", "not valid UTF-8: invalid start byte at byte 3"),
    ],
)
def test_refuses_what_python_refuses(raw: bytes, reason: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        compile(raw, "a.py", "exec")
    with pytest.raises(SourceError, match=reason) as caught:
        Source.from_bytes(PATH, raw)
    assert "\n" not in str(caught.value)


def test_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"x = 1\r\n")
    assert Source.read(file).raw == b"x = 1\r\n"
    with pytest.raises(SourceError, match="No such file or directory"):
        Source.read(tmp_path / "b.py")


def test_the_byte_order_mark_is_no_text() -> None:
    raw = codecs.BOM_UTF8 + "é = 1\n".encode()
    marked = Source.from_bytes(PATH, raw)
    assert marked.text == "é = 1\n".encode()
    assert marked.span(0, 2).end_column == 2
    assert marked.apply([edit(marked, 0, 2, "e")]) == codecs.BOM_UTF8 + b"e = 1\n"


def test_every_line_ending_counts_and_nothing_else_does() -> None:
    text = "a\r\nb\rc\nd\x0ce\x85f\u2028g\n"
    lines = source(text)
    assert [lines.line(row) for row in range(7)] == ["", "a", "b", "c", "d\x0ce\x85f\u2028g", "", ""]
    assert lines.newline == "\r\n"
    assert lines.row(text.encode().index(b"g")) == 4
    assert lines.row(len(lines.text)) == 5
    assert source("x").newline == "\n"
    assert source("x\ry\n").newline == "\r"


def test_columns_count_code_points() -> None:
    text = "\x0c\tx = '𝄞é', y"
    span = source(text).span(text.encode().index(b"y"), len(text.encode()))
    assert (span.row, span.column, span.end_column) == (1, text.index("y") + 1, len(text) + 1)


@pytest.mark.parametrize("cookie", ["latin-1", "cp1252", "ascii", "shift_jis", "iso2022_jp"])
def test_an_edit_must_fit_the_encoding(cookie: str) -> None:
    file = source("x = 1\n", cookie)
    assert file.apply([edit(file, len(file.text), len(file.text), "y = 2\n")]) == file.raw + b"y = 2\n"
    with pytest.raises(SourceError, match="cannot hold the fix"):
        file.apply([edit(file, 0, 0, "# 𝄞")])


def test_an_edit_must_be_unicode() -> None:
    file = source("x = 1\n")
    with pytest.raises(SourceError, match="not valid Unicode"):
        file.apply([edit(file, 0, 0, "\ud800")])
    accented = source("é")
    with pytest.raises(SourceError, match="not valid UTF-8"):
        accented.apply([edit(accented, 1, 1, "x")])


def test_what_does_not_survive_a_round_trip_is_read_but_not_changed() -> None:
    file = Source.from_bytes(PATH, b"# coding: utf-7\nx = '+AOk-'\n")
    assert file.text.decode().endswith("x = 'é'\n")
    assert file.text.decode().encode("utf-7") != file.raw
    with pytest.raises(SourceError, match="round trip"):
        file.apply([edit(file, 0, 0, "#\n")])


def test_an_edit_that_removes_the_cookie_is_refused() -> None:
    file = source("x = 'é'\n", "latin-1")
    with pytest.raises(SourceError, match=r"declares|cannot hold"):
        file.apply([edit(file, 0, file.line_starts[1], "")])


@pytest.mark.parametrize("cookie", ["", "latin-1", "cp1252", "shift_jis", "iso2022_jp", "gb18030"])
@given(data=st.data())
def test_bytes_outside_edits_are_kept(cookie: str, data: st.DataObject) -> None:
    codec = cookie or "utf-8"
    letters = [letter for letter in LETTERS + "\r\n\x0cxyz" if encodable(letter, codec)]
    pieces = data.draw(st.lists(st.tuples(st.text(letters), st.text(letters), st.text(letters)), max_size=5))
    head = f"# coding: {cookie}\n" if cookie else ""
    bom = codecs.BOM_UTF8 if not cookie and data.draw(st.booleans()) else b""
    old = head + "".join(kept + gone for kept, gone, _ in pieces)
    new = head + "".join(kept + put for kept, _, put in pieces)
    file = Source.from_bytes(PATH, bom + old.encode(codec))
    edits, offset = [], len(head)
    for kept, gone, put in pieces:
        start = offset + len(kept.encode())
        offset = start + len(gone.encode())
        edits.append(edit(file, start, offset, put))
    assert file.apply(edits) == bom + new.encode(codec)


def encodable(letter: str, codec: str) -> bool:
    try:
        return letter.encode(codec).decode(codec) == letter
    except UnicodeError:
        return False
