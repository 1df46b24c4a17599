"""A rule's documentation: parsed, checked, written, and shown by `keel-lint rule`."""

from __future__ import annotations

import importlib.util
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import ModuleType

import pytest
from msgspec import structs

from keel_lint import proofs
from keel_lint.cli import rule as command
from keel_lint.pages import HEADINGS, brief, page, parse, problems
from keel_lint.rule import Registry, RuleInfo

DOCUMENTATION = """\
Task dispatched inside an open transaction.

## What it does
Finds it.

## Why is this bad?
It runs too early.

## Example
```python
with atomic():
    send.delay(1)  # KEL101
```

### Through a service
A view opens the transaction:
```python title="app/views.py"
with atomic():
    pay()
```
and a service dispatches:
```python title="app/services.py" flagged="2, 3"
def pay():
    send.delay(1)
    send.delay(2)
```
```python title="app/views.py"
## What it does
pay()  # KEL101
```

## Use instead
```python
send.delay_on_commit(1)
```
```python
send.delay(1)
```

```text
not Python
```

### Outside
```python
pay()
```

## Fix safety
Not safe.

## Known missed alarms
None.

## Options
None.

## References
- <https://docs.celeryq.dev/en/stable/userguide/tasks.html>
"""
BODY = """

class DelayInAtomic(Rule):
    code = "KEL101"
    slug = "delay-in-atomic"
    group = "reliability"
    engine = "celery"
    versions = ">=5.4"
    fix = "unsafe"
    judges = ("dispatch",)
"""


def write_rule(folder: Path, documentation: str = DOCUMENTATION) -> RuleInfo:
    """A pack with one rule; the rule's facts."""
    package = folder / "pack_of_one"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "delay_in_atomic.py").write_text(f'"""{documentation}"""{BODY}', encoding="utf-8")
    return installed(folder).rules["KEL101"]


def installed(folder: Path) -> Registry:
    sys.path.insert(0, str(folder))
    try:
        return Registry.of_packages({"one": "pack_of_one"})
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("pack_of_one", None)


def test_sections_stand_under_their_headings(tmp_path: Path) -> None:
    parsed = parse(write_rule(tmp_path))
    assert parsed.introduction == "Task dispatched inside an open transaction."
    assert parsed.headings == HEADINGS
    assert parsed.sections["What it does"] == "Finds it."
    assert parsed.sections["References"].startswith("- <https://docs.celeryq.dev")


def test_titled_blocks_are_one_example_until_a_title_comes_again(tmp_path: Path) -> None:
    alone, through, again = [example for example in parse(write_rule(tmp_path)).examples if example.flagged]
    assert alone.files == {"example.py": "with atomic():\n    send.delay(1)  # KEL101\n"}
    assert alone.marks == {"example.py": [(2, "KEL101")]}
    assert through.heading == "Through a service"
    assert list(through.files) == ["app/views.py", "app/services.py"]
    assert through.marks == {"app/views.py": [], "app/services.py": [(2, "KEL101"), (3, "KEL101")]}
    assert again.marks == {"app/views.py": [(2, "KEL101")]}


def test_untitled_blocks_are_examples_of_their_own(tmp_path: Path) -> None:
    silent = [example for example in parse(write_rule(tmp_path)).examples if not example.flagged]
    assert [example.files["example.py"] for example in silent] == ["send.delay_on_commit(1)\n", "send.delay(1)\n", "pay()\n"]
    assert [example.heading for example in silent] == ["", "", "Outside"]


def test_documentation_as_it_should_be_has_no_problems(tmp_path: Path) -> None:
    assert problems(write_rule(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## Options\nNone.\n", "", "no heading `## Options`"),
        ("## Options", "## Settings", "unknown heading `## Settings`"),
        ("## Options\nNone.", "## Options", "nothing stands under `## Options`"),
        ("## Options\nNone.", "## Options\nNone.\n## Options\nNone.", "a heading stands there twice"),
        ("https://docs.celeryq.dev", "", "no address under `## References`"),
        ("### Outside\n```python\npay()\n```", "", "2 examples under `## Use instead`, of 3 at least"),
        ("send.delay_on_commit(1)", "send.delay_on_commit(1)  # KEL101", "a line is marked under `## Use instead`"),
        ("send.delay(1)  # KEL101", "send.delay(1)", "the example under `## Example` marks no line: example.py"),
        ("pay()  # KEL101", "pay()  # KEL101 KEL102", "an example marks KEL102, which is another rule"),
    ],
)
def test_each_problem_is_said(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in DOCUMENTATION
    assert f"KEL101: {problem}" in problems(write_rule(tmp_path, DOCUMENTATION.replace(old, new)))


def test_headings_out_of_order_are_a_problem(tmp_path: Path) -> None:
    swapped = DOCUMENTATION.replace("Options", "X").replace("Fix safety", "Options").replace("X", "Fix safety")
    assert any("out of order" in problem for problem in problems(write_rule(tmp_path, swapped)))


def test_the_page_says_what_is_known_of_the_rule(tmp_path: Path) -> None:
    text = page(write_rule(tmp_path))
    known = "Group **reliability**, for **Celery** >=5.4, on by default. It has an unsafe fix"
    assert text.startswith(f"# delay-in-atomic (KEL101)\n\n{known}")
    assert text.endswith(DOCUMENTATION.rstrip() + "\n")


@pytest.fixture
def _one_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rule(tmp_path)
    registry = installed(tmp_path)
    monkeypatch.setattr(Registry, "installed", lambda: registry)


def run(*words: str) -> int:
    parser = ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args(words))


@pytest.mark.usefixtures("_one_rule")
@pytest.mark.parametrize("word", ["KEL101", "kel101", "delay-in-atomic"])
def test_a_rule_is_shown_by_code_and_name(word: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(word) == 0
    assert capfdbinary.readouterr().out.startswith(b"# delay-in-atomic (KEL101)\n")


@pytest.mark.usefixtures("_one_rule")
@pytest.mark.parametrize("words", [(), ("KEL",), ("kel1",)])
def test_rules_are_listed_one_a_line(words: tuple[str, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(*words) == 0
    shown = capfdbinary.readouterr().out.decode().split()
    assert shown == ["KEL101", "delay-in-atomic", "unsafe", "fix", "Task", "dispatched", "inside", "an", "open", "transaction"]


def test_on_a_terminal_a_page_has_the_first_example_of_each_kind(tmp_path: Path) -> None:
    info = write_rule(tmp_path)
    lines, whole = brief(info).splitlines(), page(info).splitlines()
    first, more = whole.index("## Example"), f"more: {info.url}"
    assert lines[: first + 5] == whole[: first + 5]
    assert [line for line in lines if more in line] == [f"2 {more}", f"2 {more}"]
    assert "### Through a service" not in lines
    assert "## What it does" not in lines[first:]
    assert lines[lines.index("## Use instead") :][:5] == ["## Use instead", "```python", "send.delay_on_commit(1)", "```", ""]
    assert lines[lines.index("## Fix safety") :] == whole[whole.index("## Fix safety") :]


def test_a_rule_without_a_page_elsewhere_shows_all_its_examples(tmp_path: Path) -> None:
    info = structs.replace(write_rule(tmp_path), code="ABC101")
    assert brief(info) == page(info)


@pytest.mark.usefixtures("_one_rule")
def test_all_rules_are_a_list_in_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("--all", "--output-format", "json") == 0
    (shown,) = json.loads(capfdbinary.readouterr().out)
    assert (shown["code"], shown["name"], shown["fix"], shown["default"], shown["preview"]) == (
        "KEL101",
        "delay-in-atomic",
        "unsafe",
        True,
        False,
    )
    assert shown["source_location"]["file"].endswith("delay_in_atomic.py")
    assert shown["source_location"]["line"] == len(DOCUMENTATION.splitlines()) + 3


@pytest.mark.usefixtures("_one_rule")
@pytest.mark.parametrize(("word", "near"), [("KEL110", "KEL101"), ("delay-in-atomics", "delay-in-atomic")])
def test_an_unknown_rule_is_an_error_that_names_the_nearest(
    word: str, near: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(word) == 2
    shown = capfdbinary.readouterr()
    assert shown.out == b""
    assert shown.err.decode() == f"error: no such rule: {word}; did you mean `{near}`?\n"


def generator() -> ModuleType:
    file = Path(__file__).parents[2] / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_written_and_those_of_rules_that_are_no_more_removed(tmp_path: Path) -> None:
    generate = generator()
    write_rule(tmp_path)
    wanted = generate.contents(installed(tmp_path))
    folder = tmp_path / "rules"
    assert generate.stale(wanted, folder) == ["README.md", "kel101-delay-in-atomic.md"]
    generate.write(wanted, folder)
    (folder / "kel999-old.md").touch()
    assert generate.stale(wanted, folder) == ["kel999-old.md"]
    generate.write(wanted, folder)
    assert generate.stale(wanted, folder) == []
    assert "[KEL101](kel101-delay-in-atomic.md)" in (folder / "README.md").read_text()


def test_the_pages_in_docs_are_up_to_date() -> None:
    generate = generator()
    assert generate.PROOFS.read_text() == proofs.table(Registry.installed().rules.values())
    assert generate.stale(generate.contents(Registry.installed()), generate.FOLDER) == []
