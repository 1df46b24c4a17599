"""What the registry reads of a rule without importing it is what Python would see, or it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.rule import Registry, RuleInfo

MakePack = Callable[..., str]

FACTS = {
    "code": '"PRB001"',
    "slug": '"probe"',
    "group": '"correctness"',
    "engine": '"celery"',
    "judges": '("dispatch", "task")',
}
DOCUMENTATION = '''\
"""A probe.

```python
class Order:
    code = make_code()
    judges = (
        1,
    )
```
"""
'''
HELPER = """

def helper(node):
    judges = find(node)
    code = str(judges)
    return code


class Helper:
    fix = str
"""


def rule(**facts: str) -> str:
    """A rule file that states some facts in its own way."""
    body = "".join(f"    {name} = {value}\n" for name, value in {**FACTS, **facts}.items() if value)
    return f"{DOCUMENTATION}\nfrom keel_lint.rule import Rule\n{HELPER}\n\nclass Probe(\n    Rule,\n):\n{body}{HELPER}"


def read(make_pack: MakePack, name: str, code: str) -> Registry:
    return Registry.of_packages({"probes": make_pack(name, {"prb001.py": code})})


def only(registry: Registry) -> RuleInfo:
    assert registry.broken == ()
    (info,) = registry.rules.values()
    return info


LEGIBLE = {
    "one": {"judges": '("task",)'},
    "comments": {"judges": "('task', 'dispatch')  # those that ...", "fix": "None  # yet"},
    "constants": {"default": "False", "fix": '"safe"', "proof": '"none: it\'s said"'},
    "a type": {"judges: tuple[str, ...]": '("task",)', "judges": ""},
}


@pytest.mark.parametrize("case", LEGIBLE)
def test_what_is_read_is_what_python_sees(make_pack: MakePack, case: str) -> None:
    info = only(read(make_pack, f"legible_{list(LEGIBLE).index(case)}", rule(**LEGIBLE[case])))
    visitor = info.load()
    for name in ("code", "slug", "group", "engine", "fix", "default", "judges", "proof"):
        assert getattr(info, name) == getattr(visitor, name), name
    assert info.title == "A probe"


ILLEGIBLE = {
    "wrapped tuple": {"judges": '(\n        "dispatch",\n        "task",\n    )'},
    "wrapped string": {"proof": '(\n        "none: because"\n    )'},
    "continued": {"judges": '\\\n        ("task",)'},
    "a name": {"judges": "ROLES"},
    "a name inside": {"judges": '("task", DISPATCH)'},
    "a sum": {"judges": '("task",) + MORE'},
    "no tuple": {"judges": '("task")'},
    "a list": {"judges": '["task"]'},
    "joined strings": {"slug": '"pro" "be"'},
    "computed": {"code": 'f"PRB{1}"'},
    "not stated": {"judges": ""},
    "nothing": {"judges": "()"},
}


@pytest.mark.parametrize("case", ILLEGIBLE)
def test_what_cannot_be_read_is_said(make_pack: MakePack, case: str) -> None:
    """A wrapped tuple that was taken for none would keep the rule silent for ever."""
    registry = read(make_pack, f"illegible_{list(ILLEGIBLE).index(case)}", rule(**ILLEGIBLE[case]))
    (broken,) = registry.broken
    (name,) = ILLEGIBLE[case]
    assert "prb001.py: " in broken.reason
    assert f"`{name}`" in broken.reason
    assert registry.rules == {}


def test_a_rule_without_documentation_is_said(make_pack: MakePack) -> None:
    code = rule().removeprefix(DOCUMENTATION).replace("):\n    code", '):\n    """Finds probes."""\n\n    code')
    (broken,) = read(make_pack, "undocumented", code).broken
    assert "must begin with its documentation" in broken.reason


def test_documentation_may_be_one_line(make_pack: MakePack) -> None:
    info = only(read(make_pack, "documented_in_a_line", rule().replace(DOCUMENTATION, '"""A probe."""\n')))
    assert info.title == "A probe"


def test_only_our_own_rules_have_a_page_in_our_documentation(make_pack: MakePack) -> None:
    theirs = only(read(make_pack, "somebody_elses", rule()))
    assert theirs.url is None
    assert str(Registry.installed().rules["KEL101"].url).endswith("/docs/rules/kel101-delay-in-atomic.md")
