"""Variations of examples: code that is near theirs, and that nobody wrote with a rule in mind.

Each takes the text of a file and a source of chance, and returns another text. What comes out may mean something else, run
badly, or not be Python at all: a check and a fix must end well all the same.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Sequence
from random import Random

Variation = Callable[[str, Random], str]

_ASSIGNMENT = re.compile(r"(?m)^([ \t]*)(\w+) = (.+)$")
_CALL = re.compile(r"(?m)^([ \t]+)((?:await )?\w[\w.]*\(.*\))$")
_DEFINED = re.compile(r"\b(?:def|class) (\w+)")
_NAMES = (
    "ünï_cödé",
    "名前",
    "ﬁle",
    "x" * 300,
    "_",
    "self",
    "task",
    "delay",
    "workflow",
    "match",
    "type",
    "print",
    "\U0001d431",
)
_WRAPPERS = (
    "if True:", "try:\n    pass\nfinally:", "with a() as b, c:", "class Outer(Base, metaclass=M):", "def outer(*, self=None):",
    "async def outer():", "for x, *y in z:", "while (n := n - 1):",
    "match point:\n  case [1, *rest] | {'k': rest, **_} if rest:",
    "async def outer[T: (int, str), *Ts, **P](self, /, x: T, *args: *Ts) -> 'None':",
    "try:\n    pass\nexcept* E:",
    "if x:\n    pass\nelif y:\n    pass\nelse:",
    "class Outer[T]:\n    def method(self):\n        pass\n    if True:\n        x = 1\nif 1:",
)  # fmt: skip
_PLACES = (
    "if {}: pass", "return {}", "x = y = {}", "({})", "[{} for _ in x]", "lambda: {}", "assert {}, 'no'", "pass; {}; pass",
    "with {} as x: pass", "x = {} if y else None", "yield {}", "print(f\"{{{}!r:>{{width}}}}\")", "x[{}:] += 1", "f(*{}, **{})",
    "raise X from {}", "x: int = {}", "if (x := {}): pass", "not {}", "a, *b = {}", "await gather({}, {})",
    "async with {}: pass",
    "while {}: break", "for x in {}: pass", "del x, {}.y", "global x; {}", "x = ({}, {})", "return (\n    {}  # why\n)", "{}, ",
    "match {}:\n{i}    case _: pass", "try: {}\n{i}finally: pass", "def inner(x={}): return {}", "{} # type: ignore", "{};",
    "@{}\n{i}def inner(): pass", "x = f'''{{\n{}\n}}'''", "type X = {}", "x = [y async for y in {}]", "x = {{**{}, 'a': {}}}",
)  # fmt: skip
_GAPS = (" ", "  ", "\t", " \\\n", " \f ", "\\\n\\\n")
_GAPS_IN_BRACKETS = (*_GAPS, "\n", "  # why\n", "\n\n# why: (\n    ", "\f\n")
_DECORATORS = ("@decorator", "@decorator(\n    1,  # one\n)", "@(lambda f: f)", "@a.b[0](c := 1)", "@staticmethod", "@property")
_TYPE_PARAMETERS = ("[T]", "[T: (int, str) = int, *Ts, **P]")
_ENDINGS = ("\r\n", "\r", "\n\r\n", "\n\f\n")


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    """The tokens of a text; none where Python cannot take it apart."""
    try:
        return list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []


def _offsets(text: str) -> list[int]:
    offsets = [0]
    for line in io.StringIO(text):
        offsets.append(offsets[-1] + len(line))
    return offsets


def _some(found: Sequence[re.Match[str]], chance: Random) -> list[re.Match[str]]:
    return [one for one in found if chance.random() < 0.5] or list(found[:1])


def _replaced(text: str, pattern: re.Pattern[str], chance: Random, new: Callable[[re.Match[str]], str]) -> str:
    """The text with some of what the pattern finds replaced."""
    for found in reversed(_some(list(pattern.finditer(text)), chance)):
        text = text[: found.start()] + new(found) + text[found.end() :]
    return text


def wrapped(text: str, chance: Random) -> str:
    """All of it inside another statement, in any indentation."""
    indent = chance.choice(("    ", "  ", "\t", " ", "        "))
    header = chance.choice(_WRAPPERS)
    return header + "\n" + "".join(f"{indent}{line}" if line.strip() else line for line in io.StringIO(text))


def spaced(text: str, chance: Random) -> str:
    """Blanks, comments and broken lines between tokens."""
    offsets, depth, places = _offsets(text), 0, []
    for token in _tokens(text):
        depth += (token.string in {"(", "[", "{"}) - (token.string in {")", "]", "}"})
        if token.type in {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}:
            places.append((offsets[token.end[0] - 1] + token.end[1], depth))
    for place, inside in sorted(chance.sample(places, min(len(places), chance.choice((1, 4, 40)))), reverse=True):
        text = text[:place] + chance.choice(_GAPS_IN_BRACKETS if inside > 0 else _GAPS) + text[place:]
    return text


def commented(text: str, chance: Random) -> str:
    """A comment at the end of lines, and comments and empty lines between them."""
    made = []
    for line in io.StringIO(text):
        made.append(line.rstrip("\n") + chance.choice(("", "  # why", "# é")) + "\n")
        made.append(chance.choice(("", "", "", "\n", "# why\n", "          # deep\n", "\f\n")))
    return "".join(made)


def decorated(text: str, chance: Random) -> str:
    """One more decorator."""
    new = chance.choice(_DECORATORS)
    pattern = re.compile(r"(?m)^([ \t]*)(?=@|def |class |async def )")
    return _replaced(text, pattern, chance, lambda found: "".join(f"{found[1]}{line}\n" for line in new.split("\n")) + found[1])


def made_async(text: str, chance: Random) -> str:
    """`async def` for `def`, and the other way round."""
    return _replaced(text, re.compile(r"\b(async )?def\b"), chance, lambda found: "def" if found[1] else "async def")


def renamed(text: str, chance: Random) -> str:
    """Another name for what the file defines or imports."""
    names = [*_DEFINED.findall(text), *re.findall(r"\bimport (\w+)", text), *re.findall(r"(?m)^\s*(\w+) =", text)]
    if not names:
        return text
    return re.sub(rf"\b{chance.choice(names)}\b", chance.choice(_NAMES), text)


def annotated(text: str, chance: Random) -> str:
    """Annotations on assignments."""
    return _replaced(text, _ASSIGNMENT, chance, lambda found: f"{found[1]}{found[2]}: 'list[int] | None' = {found[3]}")


def with_walrus(text: str, chance: Random) -> str:
    """Assignments as expressions."""
    return _replaced(text, _ASSIGNMENT, chance, lambda found: f"{found[1]}({found[2]} := ({found[3]}))")


def generic(text: str, chance: Random) -> str:
    """Type parameters (PEP 695, PEP 696) on definitions."""
    new = chance.choice(_TYPE_PARAMETERS)
    return _replaced(text, _DEFINED, chance, lambda found: found[0] + new)


def strings_changed(text: str, chance: Random) -> str:
    """Strings as f-strings, as several, in brackets, or raw."""
    forms = ("f{}", "(f'' {})", "f'{{{}}}'", "f'{{' ' + {} + ' '}}'", "rb{}", "R{}", "({})", "'' {}", "t{}", "{}\\\n''")
    offsets = _offsets(text)
    for token in reversed(_tokens(text)):
        if token.type == tokenize.STRING and chance.random() < 0.5:
            start, end = offsets[token.start[0] - 1] + token.start[1], offsets[token.end[0] - 1] + token.end[1]
            text = text[:start] + chance.choice(forms).format(token.string) + text[end:]
    return text


def starred(text: str, chance: Random) -> str:
    """`*` and `**` among the arguments of calls and the parameters of functions."""
    new = chance.choice(("*(), ", "**{}, ", "*args, **kwargs, ", "*a, *b, ", "*[\n], ", "x := 1, ", "*, ", "/, "))
    return _replaced(text, re.compile(r"(?<=\w)\((?=[^\n]*\))"), chance, lambda _: f"({new}")


def doubled(text: str, chance: Random) -> str:
    """Everything twice."""
    return text + chance.choice(("", "\n\n", "\f\n")) + text


def reordered(text: str, chance: Random) -> str:
    """The statements of the file in another order."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return text
    lines = list(io.StringIO(text))
    starts = [min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))]) - 1 for node in body]
    parts = ["".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=False)]
    chance.shuffle(parts)
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def moved(text: str, chance: Random) -> str:
    """Calls that are statements, somewhere else: in conditions, arguments, comprehensions, strings, defaults."""
    form = chance.choice(_PLACES)
    return _replaced(text, _CALL, chance, lambda found: found[1] + form.replace("{i}", found[1]).format(*[found[2]] * 3))


def joined(text: str, chance: Random) -> str:
    """Statements on the line of what they stand in."""
    return _replaced(
        text, re.compile(r":\n[ \t]+(?=[\w(])(?!def |class |async |if |for |with |try|while |match )"), chance, lambda _: ": "
    )


def damaged(text: str, chance: Random) -> str:
    """A piece taken out, put in twice, or cut off at the end."""
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice((1, 3, 20)))
    return chance.choice((text[:start] + text[end:], text[:end] + text[start:], text[:start]))


VARIATIONS: tuple[Variation, ...] = (
    wrapped, spaced, commented, decorated, made_async, renamed, annotated, with_walrus, generic, strings_changed, starred,
    doubled, reordered, moved, joined, damaged,
)  # fmt: skip


def in_bytes(text: str, chance: Random) -> bytes:
    """A text as bytes: its line endings, its encoding and its end as they may be."""
    form = chance.choice(("plain", "plain", "plain", "endings", "mark", "cookie", "no end", "tabs", "mixed"))
    if form == "endings":
        text = text.replace("\n", chance.choice(_ENDINGS))
    if form == "mixed":
        text = re.sub("\n", lambda _: chance.choice(("\n", "\r\n", "\r")), text)
    if form == "cookie":
        return b"# -*- coding: latin-1 -*-\n" + text.encode("latin-1", "replace")
    if form == "no end":
        text = text.rstrip("\n") + chance.choice(("", "\\", "#", "    ", "\f", "\t"))
    if form == "tabs":
        text = text.replace("    ", "\t")
    return ("\ufeff" if form == "mark" else "").encode() + text.encode("utf-8", "replace")
