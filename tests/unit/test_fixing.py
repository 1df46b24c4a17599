"""`FixBuilder`: arguments, decorators and imports go where a person would put them, and the code still parses."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

from keel_lint.fixing import FixBuilder
from keel_lint.index.build import index
from keel_lint.source import Source

N = TypeVar("N", bound=cst.CSTNode)


class Stub:
    """A definition that is judged: the last statement of a file, or the one at `position`."""

    def __init__(self, text: str, position: int = -1) -> None:
        self.source = Source.from_bytes(Path("/project/a.py"), text.encode())
        self.facts = index(re.sub(rb"\r(?!\n)", b"\n", self.source.text))
        self.module = cst.parse_module(text)
        self.node: cst.CSTNode = self.module.body[position]
        self.spans = MetadataWrapper(self.module, unsafe_skip_copy=True).resolve(ByteSpanPositionProvider)

    def span(self, node: cst.CSTNode, /) -> tuple[int, int]:
        found = self.spans[node]
        return found.start, found.start + found.length

    def code(self, node: cst.CSTNode, /) -> str:
        return self.module.code_for_node(node).strip()

    def find(self, kind: type[N], code: str = "") -> N:
        return next(node for node in self.all(kind) if code in ("", self.code(node)))

    def all(self, kind: type[N]) -> Iterator[N]:
        waiting: list[cst.CSTNode] = [self.node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, kind):
                yield node
            waiting += reversed(node.children)


def fixed(stub: Stub, builder: FixBuilder) -> str:
    """The text after the fix, which must parse."""
    made = builder.build()
    assert made is not None
    text = stub.source.apply(made.edits).decode()
    ast.parse(text)
    return text


def after(text: str, change: Callable[[Stub, FixBuilder], None], position: int = -1) -> str:
    stub = Stub(text, position)
    builder = FixBuilder(stub, "title", "safe")
    change(stub, builder)
    return fixed(stub, builder)


# -- arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("f()\n", "f(x=1)\n"),
        ("f( )", "f(x=1)"),
        ("f(\n)\n", "f(x=1)\n"),
        ("f(\n    # none )\n)\n", "f(\n    # none )\nx=1)\n"),
        ("f  (a)\n", "f  (a, x=1)\n"),
        ("(f)(a)\n", "(f)(a, x=1)\n"),
        ("(f)()\n", "(f)(x=1)\n"),
        ("(f  # (\n)()\n", "(f  # (\n)(x=1)\n"),
        ("(f(a))\n", "(f(a, x=1))\n"),
        ("f((a))\n", "f((a), x=1)\n"),
        ("f(a,)\n", "f(a, x=1,)\n"),
        ("f(a , )\n", "f(a , x=1, )\n"),
        ("f(a, *b, **c)\n", "f(a, *b, **c, x=1)\n"),
        ("f('é𝄞', b=')')\n", "f('é𝄞', b=')', x=1)\n"),
        ("f(lambda: 1)\n", "f(lambda: 1, x=1)\n"),
        ("f(x for x in y)\n", "f((x for x in y), x=1)\n"),
        ("f((x for x in y))\n", "f((x for x in y), x=1)\n"),
        ("f(\n    x for x in y\n)\n", "f(\n    (x for x in y),\n    x=1\n)\n"),
        ("f(a, [\n    1,\n])\n", "f(a, [\n    1,\n], x=1)\n"),
        ("f(a,\n  b)\n", "f(a,\n  b,\n  x=1)\n"),
        ("f(\n    a)\n", "f(\n    a,\n    x=1)\n"),
        ("f(\n    a,)\n", "f(\n    a,\n    x=1,)\n"),
        ("f(\n    a,\n)\n", "f(\n    a,\n    x=1,\n)\n"),
        ("f(\n    a\n)\n", "f(\n    a,\n    x=1\n)\n"),
        ("f(\n\ta,\r\n)\n", "f(\n\ta,\n\tx=1,\r\n)\n"),
        ("f(\r\n    a,\r\n)\r\n", "f(\r\n    a,\r\n    x=1,\r\n)\r\n"),
        ("f(\r    a,\r)\r", "f(\r    a,\r    x=1,\r)\r"),
        ("f(\n    a, b\n)\n", "f(\n    a, b, x=1\n)\n"),
        ("f(\n    a, b,\n)\n", "f(\n    a, b, x=1,\n)\n"),
        ("f(\n    a,  # why, not\n)\n", "f(\n    a,  # why, not\n    x=1,\n)\n"),
        ("f(\n    a  # why, not\n)\n", "f(\n    a,  # why, not\n    x=1\n)\n"),
        ("f(\n    a  # why\n    ,\n)\n", "f(\n    a  # why\n    ,\n    x=1,\n)\n"),
        ("f(\n    a,\n    # below\n)\n", "f(\n    a,\n    x=1,\n    # below\n)\n"),
        ("f(a  # why\n  )\n", "f(a, x=1  # why\n  )\n"),
        ("f(\n    a \\\n)\n", "f(\n    a, x=1 \\\n)\n"),
        ("f(\n    g(\n        a,\n    ),\n)\n", "f(\n    g(\n        a,\n    ),\n    x=1,\n)\n"),
    ],
)
def test_insert_argument(before: str, expected: str) -> None:
    assert after(before, lambda stub, fix: fix.insert_argument(stub.find(cst.Call), "x=1")) == expected


def test_insert_arguments_one_after_the_other() -> None:
    def change(stub: Stub, fix: FixBuilder) -> None:
        fix.insert_argument(stub.find(cst.Call), "x=1")
        fix.insert_argument(stub.find(cst.Call), "y=2")

    assert after("f()\n", change) == "f(x=1, y=2)\n"
    assert after("f(a)\n", change) == "f(a, x=1, y=2)\n"
    assert after("f(\n    a\n)\n", change) == "f(\n    a,\n    x=1,\n    y=2\n)\n"


@pytest.mark.parametrize(
    ("before", "gone", "expected"),
    [
        ("f(a)\n", "a", "f()\n"),
        ("f( a, )\n", "a", "f()\n"),
        ("f(\n    a,\n)\n", "a", "f()\n"),
        ("f(\n    a,  # why\n)\n", "a", "f(\n    # why\n)\n"),
        ("f(\n    # why\n    a,\n)\n", "a", "f(\n    # why\n)\n"),
        ("f(a, b, c)\n", "a", "f(b, c)\n"),
        ("f(a, b, c)\n", "b", "f(a, c)\n"),
        ("f(a, b, c)\n", "c", "f(a, b)\n"),
        ("f(a, b, c,)\n", "c", "f(a, b,)\n"),
        ("f(a, b, c)\n", "ab", "f(c)\n"),
        ("f(a, b, c)\n", "bc", "f(a)\n"),
        ("f(a, b, c)\n", "ac", "f(b)\n"),
        ("f(a, b, c)\n", "abc", "f()\n"),
        ("f(\n    a,\n    b,\n)\n", "a", "f(\n    b,\n)\n"),
        ("f(\n    a,\n    b,\n)\n", "b", "f(\n    a,\n)\n"),
        ("f(\n    a,\n    b\n)\n", "b", "f(\n    a\n)\n"),
        ("f(\n    a,  # a\n    b,  # b\n)\n", "a", "f(\n    # a\n    b,  # b\n)\n"),
        ("f(\n    a,  # a\n    b,  # b\n)\n", "b", "f(\n    a,  # a\n    # b\n)\n"),
        ("f(\n    a,  # a\n    b,\n)\n", "b", "f(\n    a,  # a\n)\n"),
        ("f(\n    a,  # a\n    b,\n    c,\n)\n", "bc", "f(\n    a,  # a\n)\n"),
        ("f(\n    a,\n    b,  # b\n    c,\n)\n", "bc", "f(\n    a,\n    # b\n)\n"),
        ("f(a,  # a\n  b)\n", "b", "f(a,  # a\n  )\n"),
        ("f(a  # a\n  , b)\n", "b", "f(a  # a\n  , )\n"),
        ("f(é, b)\r\n", "é", "f(b)\r\n"),
    ],
)
def test_remove_argument(before: str, gone: str, expected: str) -> None:
    def change(stub: Stub, fix: FixBuilder) -> None:
        for name in reversed(gone):
            fix.remove_argument(stub.find(cst.Call), argument(stub, name))

    assert after(before, change) == expected


def argument(stub: Stub, name: str) -> cst.Arg:
    return next(arg for arg in stub.find(cst.Call).args if stub.code(arg.value) == name)


def test_an_argument_takes_the_place_of_another() -> None:
    def change(stub: Stub, fix: FixBuilder) -> None:
        for argument in stub.find(cst.Call).args[1:]:
            fix.remove_argument(stub.find(cst.Call), argument)
        fix.insert_argument(stub.find(cst.Call), "x=1")

    assert after("f(a, b)\n", change) == "f(a, x=1)\n"
    assert after("f(a, b, c)\n", change) == "f(a, x=1)\n"
    assert after("f(\n    a,\n    b,  # b\n)\n", change) == "f(\n    a,\n    x=1,  # b\n)\n"


VALUES = ["a", "'é)'", "[1,\n 2]", "g(b, c)", "*d", "k=e", "**m", "l=(x for x in y)", "n='''#'''"]
BLANKS = ["", " ", "\n    ", "  # why, (\n    ", "\n\n"]


@st.composite
def calls(draw: st.DrawFn) -> str:
    values = sorted(draw(st.lists(st.sampled_from(VALUES), max_size=4, unique=True)), key=VALUES.index)
    blanks = st.sampled_from(BLANKS)
    text = "".join(f"{draw(blanks)}{value}{draw(blanks)}," for value in values)
    text = text[:-1] if draw(st.booleans()) else text
    code = f"f({text}{draw(blanks)})\n"
    return code.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@given(before=calls(), data=st.data())
def test_arguments_of_any_layout(before: str, data: st.DataObject) -> None:
    stub = Stub(before)
    builder = FixBuilder(stub, "title", "safe")
    call = stub.find(cst.Call)
    gone = data.draw(st.sets(st.sampled_from(range(len(call.args))))) if call.args else set[int]()
    new = data.draw(st.sampled_from([["x=1"], ["x=1", "y=2"], []]))
    for position in gone:
        builder.remove_argument(call, call.args[position])
    for text in new:
        builder.insert_argument(call, text)
    if not gone and not new:
        assert builder.build() is None
        return
    kept = [stub.source.slice(*stub.span(arg)) for position, arg in enumerate(call.args) if position not in gone]
    text = fixed(stub, builder)
    assert dumped(text) == dumped(f"f({', '.join(kept + new)})")
    assert text.count("# why, (") == before.count("# why, (")


def dumped(code: str) -> str:
    return ast.dump(ast.parse(code.replace("\r\n", "\n")))


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("@task\n", "@task(x=1)\n"),
        ("@app.task  # why\n", "@app.task(x=1)  # why\n"),
        ("@(task)\n", "@(task)(x=1)\n"),
        ("@(a or b)\n", "@(a or b)(x=1)\n"),
        ("@task()\n", "@task(x=1)\n"),
        ("@task(a)\n", "@task(a, x=1)\n"),
        ("@task(\n    a=1,\n)\n", "@task(\n    a=1,\n    x=1,\n)\n"),
    ],
)
def test_insert_decorator_arguments(before: str, expected: str) -> None:
    def change(stub: Stub, fix: FixBuilder) -> None:
        fix.insert_decorator_arguments(stub.find(cst.Decorator), "x=1")

    assert after(f"{before}def f(): pass\n", change) == f"{expected}def f(): pass\n"


# -- replacing ------------------------------------------------------------------------------------------------------------


def edits_of(text: str, change: Callable[[Stub, FixBuilder], None]) -> list[tuple[str, str]]:
    """What each edit takes out and puts in."""
    stub = Stub(text)
    builder = FixBuilder(stub, "title", "unsafe")
    change(stub, builder)
    made = builder.build()
    assert made is not None
    assert (made.title, made.applicability) == ("title", "unsafe")
    return [(stub.source.slice(edit.span.start, edit.span.end), edit.content) for edit in made.edits]


@pytest.mark.parametrize(
    ("before", "edits"),
    [
        ("é.send.delay(1)\n", [("delay", "delay_on_commit")]),
        ("é.send.delay(1, 2)\n", [("delay(1, 2", "delay_on_commit(1")]),
        ("é.send.delay_on_commit()\n", [("", "1")]),
        ("é.send.delay_on_commit(1, 1)\n", [(", 1", "")]),
    ],
)
def test_replace_touches_what_changes(before: str, edits: list[tuple[str, str]]) -> None:
    assert edits_of(before, lambda stub, fix: fix.replace(stub.find(cst.Call), "é.send.delay_on_commit(1)")) == edits


def test_replace_by_a_node() -> None:
    def rename(stub: Stub, fix: FixBuilder) -> None:
        call = stub.find(cst.Call)
        fix.replace(call, call.with_changes(func=cst.Name("g")))

    assert after("x = (f(1))  # c\n", rename) == "x = (g(1))  # c\n"
    assert after("x = f(1)\n", rename) == "x = g(1)\n"


def test_replace_by_a_bracketed_node() -> None:
    def bracket(stub: Stub, fix: FixBuilder) -> None:
        name = stub.find(cst.Name, "f")
        fix.replace(name, cst.Await(name, lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))

    assert after("async def g(): f.x\n", bracket) == "async def g(): (await f).x\n"


def test_replace_that_changes_nothing_is_no_fix() -> None:
    stub = Stub("f(1)\n")
    builder = FixBuilder(stub, "title", "safe")
    builder.replace(stub.find(cst.Call), "f(1)")
    assert builder.build() is None


@given(
    old=st.text("ab (),é𝄞\n", min_size=1, max_size=12),
    new=st.text("ab (),é𝄞\n", max_size=12),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_replace_of_any_text(old: str, new: str, newline: str) -> None:
    stub = Stub(f"x = '''{old}'''\n".replace("\n", newline))
    builder = FixBuilder(stub, "title", "safe")
    string = stub.find(cst.SimpleString)
    start, end = stub.span(string)
    builder.replace(string, new)
    made = builder.build()
    wanted = stub.source.text[:start] + new.replace("\n", stub.source.newline).encode() + stub.source.text[end:]
    assert stub.source.apply(made.edits if made else ()) == wanted


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_replace_a_statement(newline: str) -> None:
    def indented(stub: Stub, fix: FixBuilder) -> None:
        line = stub.find(cst.SimpleStatementLine, "# why\nf()  # c".replace("\n", newline))
        inside = line.with_changes(leading_lines=())
        fix.replace(line, cst.With([cst.WithItem(cst.Name("x"))], cst.IndentedBlock([inside])))

    before = newline.join(["def g():", "  if y:", "    # why", "    f()  # c", "    h()", ""])
    expected = newline.join(["def g():", "  if y:", "    # why", "    with x:", "      f()  # c", "    h()", ""])
    assert after(before, indented) == expected


def test_replace_a_function() -> None:
    def rename(stub: Stub, fix: FixBuilder) -> None:
        function = stub.find(cst.FunctionDef)
        fix.replace(function, function.with_changes(name=cst.Name("g"), decorators=function.decorators[1:]))

    before = "class C:\n    # why\n    @a\n    @b  # b\n    def f():\n        x()\n\n        y()  # y\n"
    assert after(before, rename) == "class C:\n    # why\n    @b  # b\n    def g():\n        x()\n\n        y()  # y\n"


def test_new_lines_are_those_of_the_file() -> None:
    def change(stub: Stub, fix: FixBuilder) -> None:
        start, end = stub.span(stub.find(cst.Call))
        fix.insert(start, "(\n")
        fix.insert(end, "\r\n)")
        fix.delete(start, start + 1)
        fix.replace_span(start + 1, start + 1, "g")

    assert after("f()\r\n", change) == "(\r\ng()\r\n)\r\n"


def test_another_file_is_changed_in_its_own_newlines() -> None:
    stub = Stub("f(1)\n")
    other = Source.from_bytes(Path("/project/b.py"), b"x = 1\r\n")
    builder = FixBuilder(stub, "title", "safe")
    builder.replace_elsewhere(other, 4, 5, "(\n2)")
    made = builder.build()
    assert made is not None
    assert [edit.path for edit in made.edits] == ["/project/b.py"]
    assert other.apply(made.edits) == b"x = (\r\n2)\r\n"


def test_changes_that_contradict_each_other_are_no_fix() -> None:
    stub = Stub("f(1)\n")
    builder = FixBuilder(stub, "title", "safe")
    builder.delete(0, 3)
    builder.replace_span(1, 4, "x")
    assert builder.build() is None


# -- names ----------------------------------------------------------------------------------------------------------------


def spelled(text: str, qualified: str = "functools.partial", *, at: str = "") -> tuple[str, str]:
    """The spelling in the last statement of `text` (at the name `at` in it), and the text with what it needs."""
    stub = Stub(text)
    builder = FixBuilder(stub, "title", "safe")
    name = builder.name(qualified, stub.find(cst.Name, at) if at else None)
    assert builder.name(qualified, stub.find(cst.Name, at) if at else None) == name
    return name, text if builder.build() is None else fixed(stub, builder)


@pytest.mark.parametrize(
    ("imports", "qualified", "expected"),
    [
        ("import functools", "functools.partial", "functools.partial"),
        ("import functools as ft", "functools.partial", "ft.partial"),
        ("from functools import partial", "functools.partial", "partial"),
        ("from functools import wraps, partial as p", "functools.partial", "p"),
        ("import functools\nfrom functools import partial", "functools.partial", "partial"),
        ("import os, functools; import sys", "functools.partial", "functools.partial"),
        ("import os; import functools", "functools.partial", "functools.partial"),
        ("from datetime import timedelta", "datetime.timedelta", "timedelta"),
        ("import datetime as dt", "datetime.timedelta", "dt.timedelta"),
        ("import asyncio", "asyncio", "asyncio"),
        ("import asyncio as aio", "asyncio", "aio"),
        ("from temporalio import workflow", "temporalio.workflow", "workflow"),
        ("from temporalio import workflow as w", "temporalio.workflow.sleep", "w.sleep"),
        ("import temporalio.workflow", "temporalio.workflow", "temporalio.workflow"),
        ("import temporalio.workflow", "temporalio.workflow.sleep", "temporalio.workflow.sleep"),
        ("import temporalio.workflow as w", "temporalio.workflow.sleep", "w.sleep"),
        ("with x():\n    from functools import partial", "functools.partial", "partial"),
        ("try:\n    import functools\nexcept ImportError:\n    raise", "functools.partial", "functools.partial"),
        ("if TYPE_CHECKING:\n    import a\nimport functools", "functools.partial", "functools.partial"),
        ("import functools\nif TYPE_CHECKING:\n    import x as functools", "functools.partial", "functools.partial"),
        ("import functools\ndef g(functools): pass", "functools.partial", "functools.partial"),
    ],
)
def test_a_name_that_is_there(imports: str, qualified: str, expected: str) -> None:
    text = f"{imports}\ndef f(): pass\n"
    assert spelled(text, qualified) == (expected, text)


@pytest.mark.parametrize(
    ("unusable", "expected"),
    [
        ("if TYPE_CHECKING:\n    import functools", "partial"),
        ("if TYPE_CHECKING: import functools", "partial"),
        ("try:\n    import x\nexcept ImportError:\n    import functools", "partial"),
        ("import functools\nfunctools = g()", "partial"),
        ("import functools\ndef functools(): pass", "partial"),
        ("import functools\nimport x as functools", "partial"),
        ("from .functools import partial", "functools.partial"),
        ("from functools import *", "partial"),
        ("import os\ndef g():\n    import functools", "partial"),
        ("class C:\n    import functools", "partial"),
    ],
)
def test_a_name_that_is_not_there(unusable: str, expected: str) -> None:
    name, new = spelled(f"{unusable}\ndef f(): pass\n")
    assert name == expected
    assert {"partial": "from functools import partial\n", "functools.partial": "import functools\n"}[name] in new


def test_an_import_below_the_definition_is_too_late() -> None:
    stub = Stub("@x\ndef f(): pass\nfrom functools import partial\n", 0)
    builder = FixBuilder(stub, "title", "safe")
    assert builder.name("functools.partial") == "partial"
    assert fixed(stub, builder).startswith("from functools import partial\n\n\n@x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    from functools import partial\n    x\n", "partial"),
        ("def f():\n    import functools as ft\n    x\n", "ft.partial"),
        ("def f():\n    from functools import partial\n    def g():\n        x\n", "partial"),
        ("def f():\n    if y:\n        from functools import partial\n        x\n", "partial"),
        ("def f():\n    with y:\n        from functools import partial\n    x\n", "partial"),
        ("from functools import partial\ndef f(partial):\n    y\n@x\ndef g(): pass\n", "partial"),
        ("from functools import partial\n@x\ndef f(partial): pass\n", "partial"),
    ],
)
def test_a_local_import_that_is_in_scope(text: str, expected: str) -> None:
    assert spelled(text, at="x") == (expected, text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("def f():\n    x\n    from functools import partial\n", "x"),
        ("@x\ndef f():\n    from functools import partial\n", "x"),
        ("def f():\n    if y:\n        from functools import partial\n    x\n", "x"),
        ("def f():\n    if y:\n        from functools import partial\n    else:\n        x\n", "x"),
        ("def f():\n    def g():\n        from functools import partial\n    x\n", "x"),
        ("def f():\n    from functools import partial\n    def g(partial):\n        x\n", "x"),
        ("def f():\n    from functools import partial\n    partial = 1\n    x\n", "x"),
        ("def f():\n    from functools import partial\n", ""),
        ("from functools import partial\ndef f(partial):\n    x\n", "x"),
        ("from functools import partial\ndef f():\n    partial = 1\n    x\n", "x"),
        ("from functools import partial\ndef f():\n    def g(partial):\n        x\n", "x"),
        ("from functools import partial\ndef f(partial):\n    x\n", ""),
        ("from functools import partial\ndef f():\n    from y import partial\n    x\n", "x"),
        ("from functools import partial\ndef f(): lambda partial: x\n", "x"),
        ("from functools import partial\ndef f():\n    def g():\n        partial = 1\n", ""),
    ],
)
def test_a_local_name_that_hides_or_does_not_reach(text: str, at: str) -> None:
    name, new = spelled(text, at=at)
    assert name == "functools.partial"
    assert "import functools\n" in new


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("partial = 1\ndef f(): pass\n", "functools.partial", "import functools"),
        ("partial = functools = 1\ndef f(): pass\n", "functools_partial", "from functools import partial as functools_partial"),
        ("def f(functools): partial\n", "functools_partial", "from functools import partial as functools_partial"),
        (
            "partial = functools = functools_partial = 1\ndef f(): pass\n",
            "functools_partial_",
            "from functools import partial as functools_partial_",
        ),
        ("for partial in x: pass\ndef f(): pass\n", "functools.partial", "import functools"),
        ("def f(x): return f'{partial}'\n", "functools.partial", "import functools"),
        ("def f(x): 'partial'; x.partial; x(partial=1)  # partial\n", "partial", "from functools import partial"),
        (
            "if TYPE_CHECKING:\n    from functools import partial\ndef f(x: 'partial'): partial\n",
            "partial",
            "from functools import partial",
        ),
        ("if TYPE_CHECKING:\n    from x import partial\ndef f(): pass\n", "functools.partial", "import functools"),
        ("from functools import cache as partial\ndef f(): pass\n", "functools.partial", "import functools"),
        (
            "def g():\n    from functools import partial\n    partial()\ndef f(): pass\n",
            "partial",
            "from functools import partial",
        ),
    ],
)
def test_a_name_that_is_taken(text: str, name: str, line: str) -> None:
    assert spelled(text)[0] == name
    assert line in [new for new in spelled(text)[1].splitlines() if not new.startswith(" ")]


def test_a_package_does_not_import_its_modules() -> None:
    name, new = spelled("import temporalio\ndef f(): pass\n", "temporalio.workflow")
    assert (name, new) == ("workflow", "import temporalio\nfrom temporalio import workflow\ndef f(): pass\n")


def test_a_taken_module_name_gets_an_alias() -> None:
    assert spelled("asyncio = 1\ndef f(): pass\n", "asyncio")[0] == "asyncio_"
    name, new = spelled("RetryPolicy = 1\ndef f(): pass\n", "temporalio.common.RetryPolicy")
    assert name == "common_RetryPolicy"
    assert "from temporalio.common import RetryPolicy as common_RetryPolicy\n" in new


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("from functools import wraps\n", "from functools import partial, wraps\n"),
        ("from functools import cache\n", "from functools import cache, partial\n"),
        ("from functools import wraps, cache\n", "from functools import wraps, cache, partial\n"),
        ("from functools import wraps as w  # why\n", "from functools import partial, wraps as w  # why\n"),
        ("from functools import (cache)\n", "from functools import (cache, partial)\n"),
        ("from functools import (cache,)\n", "from functools import (cache, partial,)\n"),
        (
            "from functools import (\n    cache,\n    wraps,\n)\n",
            "from functools import (\n    cache,\n    partial,\n    wraps,\n)\n",
        ),
        ("from functools import (\n    cache\n)\n", "from functools import (\n    cache,\n    partial\n)\n"),
        (
            "from functools import (\r\n    cache,  # why\r\n)\r\n",
            "from functools import (\r\n    cache,  # why\r\n    partial,\r\n)\r\n",
        ),
        ("from functools import \\\n    cache\n", "from functools import \\\n    cache, partial\n"),
        ("from functools import \\\n    wraps\n", "from functools import \\\n    partial, wraps\n"),
        ("import os; from functools import cache; x = 1\n", "import os; from functools import cache, partial; x = 1\n"),
    ],
)
def test_joins_an_import(before: str, expected: str) -> None:
    assert spelled(f"{before}def f(): pass\n") == ("partial", f"{expected}def f(): pass\n")


NEW = "from functools import partial\n"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", f"{NEW}\n\n"),
        ("\n\n", f"{NEW}\n\n"),
        ("#!/usr/bin/python\n# coding: utf-8\n", f"#!/usr/bin/python\n# coding: utf-8\n\n{NEW}\n\n"),
        ("#!/usr/bin/python\n\n# licence\n# more\n\n\n", f"#!/usr/bin/python\n\n# licence\n# more\n\n{NEW}\n\n"),
        ("# about f\n", f"{NEW}\n\n# about f\n"),
        ("# licence\n\n# about f\n", f"# licence\n\n{NEW}\n# about f\n"),
        ("'''doc'''\n", f"'''doc'''\n\n{NEW}\n\n"),
        ("'''doc\n'''  # why\n\n\n", f"'''doc\n'''  # why\n\n{NEW}\n\n"),
        ("# c\n'''doc\nimport os\n'''\nx = 1\n", f"# c\n'''doc\nimport os\n'''\n\n{NEW}\nx = 1\n"),
        ("'doc' 'more'\n\n", f"'doc' 'more'\n\n{NEW}\n"),
        ("'''doc'''; x = (\n1)\n\n", f"'''doc'''; x = (\n1)\n\n{NEW}\n"),
        ("import os\n", f"import os\n{NEW}"),
        ("import os\n\nimport django\n\n\n", f"import os\n{NEW}\nimport django\n\n\n"),
        ("import os\nimport django\n", f"import os\n{NEW}import django\n"),
        ("from os import x\nfrom abc import y\n\n", f"from os import x\nfrom abc import y\n{NEW}\n"),
        ("from abc import y\nfrom os import x\n\n", f"from abc import y\n{NEW}from os import x\n\n"),
        ("from os import x\n\n", f"{NEW}from os import x\n\n"),
        ("import django\n\n\n", f"{NEW}\nimport django\n\n\n"),
        ("'''doc'''\n\nimport django\n", f"'''doc'''\n\n{NEW}\nimport django\n"),
        ("from . import x\n\n", f"{NEW}\nfrom . import x\n\n"),
        ("from __future__ import annotations\n\n\n", f"from __future__ import annotations\n\n{NEW}\n\n"),
        (
            "from __future__ import annotations\n\nimport django\n\n",
            f"from __future__ import annotations\n\n{NEW}\nimport django\n\n",
        ),
        (
            "from __future__ import annotations\nimport django\n\n",
            f"from __future__ import annotations\n{NEW}import django\n\n",
        ),
        ("if TYPE_CHECKING:\n    import os\n\n", f"{NEW}\nif TYPE_CHECKING:\n    import os\n\n"),
        ("import os\nif TYPE_CHECKING:\n    import sys\n", f"import os\n{NEW}if TYPE_CHECKING:\n    import sys\n"),
        ("import os; import sys; x = [\n1]\n", f"import os; import sys; x = [\n1]\n{NEW}"),
        ("import os  # why\n", f"import os  # why\n{NEW}"),
        ("import os\n\ndef g(): pass\n\nimport sys\n", f"import os\n{NEW}\ndef g(): pass\n\nimport sys\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_adds_an_import(before: str, expected: str, newline: str) -> None:
    name, new = spelled(f"{before}def f():\n    pass\n".replace("\n", newline))
    assert (name, new.replace(newline, "\n")) == ("partial", f"{expected}def f():\n    pass\n")
    assert newline == "\n" or "\n" not in new.replace(newline, "")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("import os; x(1)", "from functools import partial; import os; x(1)"),
        ("'''doc'''; x(1)", "'''doc'''; from functools import partial; x(1)"),
        (
            "from __future__ import annotations; x(1)\n",
            "from __future__ import annotations; from functools import partial; x(1)\n",
        ),
        ("from functools import wraps; x(1)", "from functools import partial, wraps; x(1)"),
        ("x(1)", "from functools import partial\n\nx(1)"),
    ],
)
def test_a_definition_on_the_line_of_the_imports(before: str, expected: str) -> None:
    stub = Stub(before)
    stub.node = stub.find(cst.Expr, "x(1)")
    builder = FixBuilder(stub, "title", "safe")
    assert builder.name("functools.partial") == "partial"
    assert fixed(stub, builder) == expected


def test_an_import_of_another_package_goes_to_its_group() -> None:
    text = "import os\n\nimport celery\nimport django\n\nfrom app.a import x\nfrom app.b import y\n\n\ndef f(): pass\n"
    third = spelled(text, "temporalio.workflow")[1]
    assert third == text.replace("import django\n", "import django\nfrom temporalio import workflow\n")
    own = spelled(text, "app.aa.z")[1]
    assert own == text.replace("import x\n", "import x\nfrom app.aa import z\n")
    below = spelled("import os\n\nfrom . import x\n\ndef f(): pass\n", "temporalio.workflow")[1]
    assert below == "import os\n\nfrom temporalio import workflow\n\nfrom . import x\n\ndef f(): pass\n"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", "import asyncio\nfrom datetime import datetime, timedelta\n\nfrom temporalio import workflow\n\n\n"),
        (
            "from datetime import date\n\n",
            "import asyncio\nfrom datetime import date, datetime, timedelta\n\nfrom temporalio import workflow\n\n",
        ),
    ],
)
def test_several_imports_at_once(before: str, expected: str) -> None:
    def change(_: Stub, fix: FixBuilder) -> None:
        names = [fix.name(name) for name in ("temporalio.workflow", "datetime.timedelta", "asyncio", "datetime.datetime")]
        assert names == ["workflow", "timedelta", "asyncio", "datetime"]

    assert after(f"{before}def f(): pass\n", change) == f"{expected}def f(): pass\n"


def test_two_new_names_do_not_collide() -> None:
    stub = Stub("def f(): pass\n")
    builder = FixBuilder(stub, "title", "safe")
    names = [builder.name(name) for name in ("datetime.datetime", "datetime", "functools.partial", "toolz.partial")]
    assert names == ["datetime", "datetime_", "partial", "toolz_partial"]
    scope = ast.parse(fixed(stub, builder))
    bound = [
        alias.asname or alias.name
        for node in scope.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    ]
    assert sorted(names) == sorted(bound)


HEADS = ["#!/usr/bin/python\n", "# coding: utf-8\n", "# licence\n", "\n", "'''doc'''\n"]
PARTS = [
    "import os\n",
    "import os, sys\n",
    "from functools import wraps\n",
    "from functools import (\n    cache,\n)\n",
    "\n",
    "# c\n",
    "import django\n",
    "from . import x\n",
    "partial = 1\n",
    "x = functools = 1\n",
    "if x:\n    from functools import partial\n",
    "try:\n    import functools\nexcept ImportError:\n    pass\n",
    "with x():\n    import functools\n",
    "def g(): pass\n",
    "import os; import sys\n",
    "é = '''\nimport functools\n'''\n",
]


@given(
    head=st.lists(st.sampled_from(HEADS), max_size=4, unique=True),
    parts=st.lists(st.sampled_from(PARTS), max_size=6),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_imports_of_any_layout(head: list[str], parts: list[str], newline: str) -> None:
    text = "".join(sorted(head, key=HEADS.index) + parts) + "def f():\n    here\n"
    name, new = spelled(text.replace("\n", newline))
    tree = ast.parse(new.replace(newline, "\n"))
    assert ast.get_docstring(tree) == ast.get_docstring(ast.parse(text))
    assert new.startswith("#!") == text.startswith("#!")
    first, _, rest = name.partition(".")
    assert f"{meaning(tree)[first]}.{rest}".rstrip(".") == "functools.partial"


def meaning(tree: ast.Module) -> dict[str, str]:
    """What each name stands for at the end of a module: conditions are false."""
    found: dict[str, str] = {}
    for node in (inner for outer in tree.body if not isinstance(outer, ast.If) for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            found.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        elif isinstance(node, ast.Assign):
            found.update({ast.unparse(target): "other" for target in node.targets})
    return found
