"""The facts of odd, new and broken syntax."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from keel_lint.index.build import VALUE_LIMIT, index

if TYPE_CHECKING:
    from keel_lint.index.facts import Definition, ModuleFacts


def facts(code: str) -> ModuleFacts:
    """The facts of some code."""
    return index(code.encode())


def only(code: str) -> Definition:
    """The one definition of some code."""
    (definition,) = facts(code).definitions
    return definition


def calls(code: str) -> list[str]:
    """The dotted callees of some code, outer calls first."""
    return [call.callee for call in facts(code).calls]


def bound(code: str, scope: int = 0) -> tuple[str, ...]:
    """The names that a scope of some code binds."""
    return facts(code).bindings.get(scope, ())


def qualnames(code: str) -> list[tuple[str, int, int]]:
    """Each definition as (name, parent, judged with)."""
    return [(d.qualname, d.parent, d.outer) for d in facts(code).definitions]


@pytest.mark.parametrize(
    ("code", "imports"),
    [
        ("import a.b", [("a", "a", "")]),
        ("import a.b as c, d", [("c", "a.b", ""), ("d", "d", "")]),
        ("from . import x", [("x", ".", "x")]),
        ("from .m import y as z, w", [("z", ".m", "y"), ("w", ".m", "w")]),
        ("from ..a . b import c", [("c", "..a.b", "c")]),
        ("from m import (\n    a,  # why\n    b as c,\n)", [("a", "m", "a"), ("c", "m", "b")]),
        ("from m import *", [("*", "m", "*")]),
        ("from __future__ import annotations", []),
        ("if x:\n    import y", [("y", "y", "")]),
    ],
)
def test_imports(code: str, imports: list[tuple[str, str, str]]) -> None:
    assert [(i.name, i.module, i.attribute) for i in facts(code).imports] == imports


def test_an_import_in_a_function_belongs_to_it() -> None:
    assert [record.scope for record in facts("import a\ndef f():\n    import b\n").imports] == [-1, 0]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("a, /, b, *, c", [("a", "posonly"), ("b", "plain"), ("c", "kwonly")]),
        ("a: int, b: str = 'x', *args: int, c=1, **kw: T", None),
        ("*args, a", [("args", "vararg"), ("a", "kwonly")]),
        ("a=1, /", [("a", "posonly")]),
        ("# why\na", [("a", "plain")]),
        ("", []),
    ],
)
def test_parameters(parameters: str, expected: list[tuple[str, str]] | None) -> None:
    found = only(f"def f({parameters}\n): ...").parameters
    if expected is not None:
        assert [(p.name, p.kind) for p in found] == expected
        return
    assert [(p.name, p.kind, p.annotation, p.default) for p in found] == [
        ("a", "plain", "int", ""),
        ("b", "plain", "str", "'x'"),
        ("args", "vararg", "int", ""),
        ("c", "kwonly", "", "1"),
        ("kw", "kwarg", "T", ""),
    ]


def test_a_definition_with_everything() -> None:
    code = "@first\n# a comment\n@app.task(bind=True, **more)\nasync def f[T: int](x: T) -> list[T]:\n    return g()\n"
    definition = only(code)
    assert (definition.name, definition.is_async, definition.returns, definition.start) == ("f", True, "list[T]", 0)
    assert code[slice(*definition.name_span)] == "f"
    assert code[definition.body_start : definition.end] == "return g()"
    first, second = definition.decorators
    assert (first.callee, first.arguments) == ("first", None)
    assert second.arguments is not None
    assert (second.callee, [(a.keyword, a.text) for a in second.arguments]) == ("app.task", [("bind", "True"), ("**", "more")])
    assert definition.roles == ("task",)
    assert bound(code) == ("T", "x")


@pytest.mark.parametrize("decorator", ["@(lambda f: f)", "@tasks[0]", "@make()()", "@a.b().c"])
def test_odd_decorators(decorator: str) -> None:
    assert [d.name for d in facts(f"{decorator}\ndef f(): ...").definitions if d.name != "<lambda>"] == ["f"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class A:\n    def m(self): ...", [("A", -1, 0), ("A.m", 0, 1)]),
        ("class A:\n    class B:\n        def m(self): ...", [("A", -1, 0), ("A.B", 0, 1), ("A.B.m", 1, 2)]),
        ("def f():\n    def g(): ...\n    class C:\n        def m(self): ...",
         [("f", -1, 0), ("f.g", 0, 0), ("f.C", 0, 0), ("f.C.m", 2, 0)]),
        ("@workflow.defn\nclass W:\n    def m(self): ...", [("W", -1, 0), ("W.m", 0, 0)]),
        ("class T(Task):\n    def run(self): ...", [("T", -1, 0), ("T.run", 0, 0)]),
        ("class A:\n    @activity.defn\n    def m(self): ...", [("A", -1, 0), ("A.m", 0, 0)]),
        ("def f():\n    return lambda x: g(x)", [("f", -1, 0), ("f.<lambda>", 0, 0)]),
        ("if x:\n    def f(): ...\nelse:\n    def f(): ...", [("f", -1, 0), ("f", -1, 1)]),
    ],
)  # fmt: skip
def test_what_is_judged_with_what(code: str, expected: list[tuple[str, int, int]]) -> None:
    assert qualnames(f"from temporalio import activity, workflow\n{code}") == expected


def test_the_bases_of_a_generic_class() -> None:
    definition = only("class Box[T: int, *Ts](Base[T], mod.Mixin, metaclass=Meta): ...")
    found = [(base.keyword, base.text) for base in definition.bases]
    assert found == [("", "Base[T]"), ("", "mod.Mixin"), ("metaclass", "Meta")]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("a = b = 1", "a b"),
        ("a: int = 1", "a"),
        ("a, (b, [c, *d]) = x", "a b c d"),
        ("(a) = 1", "a"),
        ("a += 1", "a"),
        ("a.b = c[0] = 1", ""),
        ("for a, b in x: pass", "a b"),
        ("async for a in x: pass", "a"),
        ("with x as a, y as (b, *c): pass", "a b c"),
        ("with (x as a, y as b): pass", "a b"),
        ("async with x as a: pass", "a"),
        ("try: pass\n except E as a: pass", "a"),
        ("try: pass\n except* E as a: pass", "a"),
        ("x(a := 1)", "a"),
        ("[y for y in x if (a := y)]", "a"),
        ("match x:\n  case Point(a, y=b): pass", "a b"),
        ("match x:\n  case {'k': a, **b}: pass", "a b"),
        ("match x:\n  case [a, _, *b] | (a, b): pass", "a b"),
        ("match x:\n  case str() as a if a: pass", "a"),
        ("match x:\n  case a: pass", "a"),
        ("match x:\n  case mod.A | 1 | None | _: pass", ""),
        ("def a(): ...", "a"),
        ("class a: ...", "a"),
        ("type a[T] = list[T]", "a"),
        ("type a = int", "a"),
        ("global a\n a = 1", ""),
        ("nonlocal a\n a = 1", ""),
        ("del a", ""),
        ("a.b()", ""),
    ],
)
def test_the_names_that_a_function_binds(body: str, names: str) -> None:
    assert bound(f"def f():\n {body}\n") == tuple(names.split())


def test_a_global_statement_binds_in_the_module() -> None:
    assert "made" in bound("def f():\n    global made\n    made = 1\n", -1)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("add.s(1).set(x=2).delay()", ["add.s().set().delay", "add.s().set", "add.s"]),
        ("tasks['a'].delay()", ["tasks[].delay"]),
        ("(a or b).delay()", ["?.delay"]),
        ("f()()", ["f()", "f"]),
        ("'x'.join(y)", ["?.join"]),
        ("print(f'{a.delay()!r:>{width()}}')", ["print", "a.delay", "width"]),
        ("[f(x) for x in g()]", ["f", "g"]),
        ("x = yield f()", ["f"]),
        ("lambda: f()", ["f"]),
        ("def a(x=f()): ...", ["f"]),
        ("@f()\ndef a(): ...", ["f"]),
        ("class A(f()): ...", ["f"]),
        ("if (n := f()): g(n)", ["f", "g"]),
        ("match f():\n    case P() if g(): h()", ["f", "g", "h"]),
        ("assert f(), g()", ["f", "g"]),
        ("del f().x", ["f"]),
    ],
)
def test_calls(code: str, expected: list[str]) -> None:
    assert calls(code) == expected


def test_what_is_awaited() -> None:
    code = "async def f():\n    await a(b())\n    await c\n    async with d(): pass\n    await (e())\n"
    assert {call.callee: call.awaited for call in facts(code).calls} == {"a": True, "b": False, "d": False, "e": True}


@pytest.mark.parametrize("call", ["a.delay(1, x=2, *y, **z)", "a.delay(\n    1,  # one\n    x=2, *y, **z,\n)"])
def test_the_arguments_of_a_call_that_matters(call: str) -> None:
    (found,) = facts(call).calls
    assert [(a.keyword, a.text) for a in found.arguments] == [("", "1"), ("x", "2"), ("*", "y"), ("**", "z")]


def test_a_generator_is_one_argument() -> None:
    (found,) = facts("a.delay(x for x in y)").calls
    assert [(a.keyword, a.text) for a in found.arguments] == [("", "(x for x in y)")]


def test_blocks_and_what_stands_in_them() -> None:
    code = "def f():\n    with atomic(using='x') as t, lock:\n        with inner():\n            a()\n        b()\n    c()\n"
    found = facts(code)
    assert [(block.items, block.parent) for block in found.blocks] == [
        ((("atomic", "atomic(using='x')"), ("lock", "lock")), -1),
        ((("inner", "inner()"),), 0),
    ]
    assert {call.callee: call.block for call in found.calls} == {"atomic": -1, "inner": 0, "a": 1, "b": 0, "c": -1}


def test_a_block_does_not_reach_into_a_nested_function() -> None:
    code = "with atomic():\n    def f(x=a()):\n        b()\n    lambda: c()\n"
    assert {call.callee: call.block for call in facts(code).calls} == {"atomic": -1, "a": 0, "b": -1, "c": -1}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a = 1", [("a", "", "1")]),
        ("a: int = 1", [("a", "int", "1")]),
        ("a: int", [("a", "int", "")]),
        ("a = b = {'x': 1}", [("a", "", "{'x': 1}"), ("b", "", "{'x': 1}")]),
        ("a.b.c = 1", [("a.b.c", "", "1")]),
        ("f().x = 1", [("f().x", "", "1")]),
        ("a, b = 1, 2", []),
        ("def f():\n    a = 1\n    self.b = 2", [("self.b", "", "2")]),
        ("class A:\n    a = 1", [("a", "", "1")]),
    ],
)
def test_assignments(code: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(a.target, a.annotation, a.value) for a in facts(code).assignments] == expected


def test_a_long_value_is_cut() -> None:
    (assignment,) = facts(f"a = '{'é' * VALUE_LIMIT}'").assignments
    assert assignment.cut
    assert len(assignment.value.encode()) <= VALUE_LIMIT + 2


@pytest.mark.parametrize(
    ("code", "exported"),
    [
        ("", None),
        ("__all__ = ['a', \"b\"]", ("a", "b")),
        ("__all__ = ('a',)", ("a",)),
        ("__all__: list[str] = ['a']", ("a",)),
        ("__all__ = []", ()),
        ("__all__ = ['a'] + ['b'] + ['c']", ("a", "b", "c")),
        ("__all__ = ['a']\n__all__ += ['b']", ("a", "b")),
        ("__all__ = [\n    'a',  # why\n]", ("a",)),
        ("__all__ = ['a'] + other.__all__", None),
        ("__all__ = [*names]", None),
        ("__all__ = names()", None),
        ("__all__ = ['a']\n__all__ += names", None),
        ("def f():\n    __all__ = ['a']", None),
    ],
)
def test_what_a_module_exports(code: str, exported: tuple[str, ...] | None) -> None:
    assert facts(code).exported == exported


@pytest.mark.parametrize(
    "code",
    [
        "def broken(:\n    a.delay()\n\ndef sound():\n    b.delay()\n",
        "def sound():\n    b.delay()\n\nx = (1,\n",
        "class A\n    x = 1\n\ndef sound():\n    b.delay()\n",
    ],
)
def test_broken_code_keeps_what_is_sound(code: str) -> None:
    found = facts(code)
    assert found.has_error
    assert "sound" in [definition.name for definition in found.definitions]
    assert "b.delay" in [call.callee for call in found.calls]


@pytest.mark.parametrize(
    "code",
    [
        "", "\n", "# only a comment", "\ufeffx = 1", "x = '\U0001f600'; f()", "\tif", "def", "@", "class", "import",
        "from . import", "f(", "lambda", "with", "match", "async", "global", "del", "x = ", "__all__ =", "def f[", "type",
        "with x as", "case", "@a\n@b",
    ],
)  # fmt: skip
def test_nothing_fails(code: str) -> None:
    facts(code)


def test_deep_code_does_not_exhaust_the_stack() -> None:
    depth = sys.getrecursionlimit() * 3
    function = f"def f():\n    return {'(' * depth}g(){')' * depth}\n"
    found = facts(f"{function}x = {' + '.join(['1'] * depth)}\n__all__ = {'[' * depth}\n")
    assert found.definitions[0].nesting > depth


def test_offsets_count_bytes() -> None:
    code = "é = '\U0001f600'\ndef f():\n    g()\n"
    found = facts(code)
    (call,) = found.calls
    assert code.encode()[call.start : call.end] == b"g()"


def test_directives_are_kept_wherever_they_stand() -> None:
    function = "def f(  # keel: ignore\n    a,\n): # ruff: ignore[KEL1]\n    # plain\n    pass  # NOQA\n"
    code = f"x = 1  # noqa: KEL101\n{function}from a import (\n    b,  # noqa\n)\n"
    found = [code[start:end] for start, end in sorted(facts(code).comments)]
    assert found == ["# noqa: KEL101", "# keel: ignore", "# ruff: ignore[KEL1]", "# NOQA", "# noqa"]


@pytest.mark.parametrize(
    "code",
    [
        "with a:  # {}\n    pass\n",
        "async def f():\n    async with a, b as c:  # {}\n        pass\n",
        "with (\n    a,  # {}\n    b,\n):\n    pass\n",
        "for x in y:  # {}\n    pass\n",
        "while x:  # {}\n    pass\n",
        "if x:  # {}\n    pass\nelse:\n    pass\n",
        "if x:\n    pass\nelse:  # {}\n    pass\n",
        "try:  # {}\n    pass\nexcept E:\n    pass\n",
        "try:\n    pass\nexcept E:  # {}\n    pass\n",
        "match x:  # {}\n    case y:\n        pass\n",
        "match x:\n    case y:  # {}\n        pass\n",
        "class A:  # {}\n    pass\n",
        "@a  # {}\ndef f():\n    pass\n",
        "x = (\n    a.b()  # {}\n    .c()\n)\n",
        "x = (\n    a  # {}\n    .c()\n)\n",
    ],
)
def test_directives_are_kept_behind_every_header_and_within_chains(code: str) -> None:
    whole = code.format("noqa: KEL101")
    assert [whole[start:end] for start, end in facts(whole).comments] == ["# noqa: KEL101"]
