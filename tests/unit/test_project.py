"""Names are followed as Python would: through imports, re-exports, aliases, source roots and inheritance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keel_lint.project import Project, Symbol
from tests.unit.memory import Memory

USER = "app/user.py"


def project(files: Mapping[str, str], *roots: str) -> Project:
    """A project of these files."""
    return Project(Path("/project"), sorted(files), Memory(files), roots=roots)


def resolve(files: Mapping[str, str], dotted: str, path: str = USER) -> Symbol:
    """What a name means at the end of a file."""
    return project(files).resolve(path, dotted)


def resolve_inside(code: str, dotted: str) -> Symbol:
    """What a name means in the last function of a file."""
    made = project({"wf.py": code})
    definitions = made.facts("wf.py").definitions
    return made.resolve("wf.py", dotted, max(i for i, d in enumerate(definitions) if d.kind == "function"))


@pytest.mark.parametrize(
    ("code", "dotted", "name"),
    [
        ("import datetime", "datetime.datetime.now", "datetime.datetime.now"),
        ("import datetime as dt", "dt.datetime.now", "datetime.datetime.now"),
        ("from datetime import datetime", "datetime.now", "datetime.datetime.now"),
        ("from datetime import datetime as DateTime", "DateTime.now", "datetime.datetime.now"),
        ("import os.path", "os.path.join", "os.path.join"),
        ("import os.path as p", "p.join", "os.path.join"),
        ("import numpy as np", "np.random.rand", "numpy.random.rand"),
        ("import a.b.c", "a.b.c.d", "a.b.c.d"),
        ("from temporalio import workflow", "workflow.unsafe.is_replaying", "temporalio.workflow.unsafe.is_replaying"),
        ("try:\n    import ujson as json\nexcept ImportError:\n    import json", "json.loads", "ujson.loads"),
        ("with workflow.unsafe.imports_passed_through():\n    from pkg import act", "act", "pkg.act"),
        ("if TYPE_CHECKING:\n    from pkg import Thing", "Thing", "pkg.Thing"),
        ("import time\nclock = time.time", "clock", "time.time"),
        ("import time\nnow = time\nclock = now.time", "clock", "time.time"),
        ("", "len", "builtins.len"),
        ("from os import *", "getcwd", "os.getcwd"),
        ("from os import *", "print", "builtins.print"),
    ],
)
def test_names_from_outside_the_project(code: str, dotted: str, name: str) -> None:
    assert resolve({USER: code}, dotted).name == name


@pytest.mark.parametrize(
    ("imports", "dotted"),
    [
        ("from .tasks import send", "send"),
        ("from . import tasks", "tasks.send"),
        ("from ..app import tasks as t", "t.send"),
        ("from app.tasks import send as s", "s"),
        ("import app.tasks", "app.tasks.send"),
        ("import app.tasks as t", "t.send"),
        ("from app import tasks", "tasks.send"),
        ("from app.tasks import *", "send"),
        ("from app import *", "exported"),
        ("from app import exported", "exported"),
        ("import app", "app.exported"),
        ("import app", "app.tasks.send"),
        ("from .tasks import send\nalias = send", "alias"),
        ("from .tasks import alias", "alias"),
        ("from app.names import far", "far"),
    ],
)
def test_every_way_to_import_a_function(imports: str, dotted: str) -> None:
    files = {
        "app/__init__.py": "from .tasks import send as exported\n",
        "app/tasks.py": "def send(): ...\nalias = send\n",
        "app/names.py": "from .tasks import alias as near\nfar = near\n",
        USER: imports,
    }
    symbol = resolve(files, dotted)
    assert (symbol.name, symbol.state, symbol.path) == ("app.tasks.send", "internal", "app/tasks.py")
    assert symbol.definition == 0


@pytest.mark.parametrize(
    ("exporter", "dotted", "found"),
    [
        ("def open_(): ...\n__all__ = ['open_']", "open_", True),
        ("def open_(): ...\n__all__ = ['other']", "open_", False),
        ("def _hidden(): ...", "_hidden", False),
        ("def _hidden(): ...\n__all__ = ('_hidden',)", "_hidden", True),
        ("def a(): ...\n__all__ = ['b'] + ['a']", "a", True),
        ("def a(): ...\n__all__ = ['b']\n__all__ += ['a']", "a", True),
        ("from . import other\ndef a(): ...\n__all__ = other.__all__", "a", True),
        ("def a(): ...\n__all__ = ['b', *others]", "a", True),
    ],
)
def test_what_a_star_brings(exporter: str, dotted: str, found: bool) -> None:
    symbol = resolve({"app/__init__.py": "", "app/tasks.py": exporter, USER: "from app.tasks import *"}, dotted)
    assert (symbol.state == "internal") == found


def test_stars_are_followed_in_turn() -> None:
    files = {
        "app/__init__.py": "from .one import *",
        "app/one.py": "from .two import *",
        "app/two.py": "def deep(): ...",
        USER: "from app import *",
    }
    assert resolve(files, "deep").path == "app/two.py"


@pytest.mark.parametrize(
    ("files", "importer", "module", "found"),
    [
        (["src/pkg/__init__.py", "src/pkg/m.py", "tests/x.py"], "tests/x.py", "pkg.m", "src/pkg/m.py"),
        (["src/pkg/__init__.py", "src/pkg/m.py", "src/pkg/x.py"], "src/pkg/x.py", "src.pkg.m", "src/pkg/m.py"),
        (["space/one/m.py", "x.py"], "x.py", "space.one.m", "space/one/m.py"),
        (["space/one/m.py", "x.py"], "x.py", "space", None),
        (["a/src/pkg/__init__.py", "b/src/pkg/__init__.py", "b/src/x.py"], "b/src/x.py", "pkg", "b/src/pkg/__init__.py"),
        (["a/util.py", "b/util.py", "b/x.py"], "b/x.py", "util", "b/util.py"),
        (["a/util.py", "b/x.py"], "b/x.py", "util", "a/util.py"),
        (["pkg/__init__.py", "pkg/util.py", "pkg/x.py"], "pkg/x.py", "util", None),
        (["pkg/__init__.py", "pkg/__main__.py", "pkg/util.py"], "pkg/__main__.py", "util", "pkg/util.py"),
        (["apps/__init__.py", "apps/manage.py", "apps/a/x.py", "apps/b/y.py"], "apps/a/x.py", "b.y", "apps/b/y.py"),
        (["pkg/sub/m.pyi", "x.py"], "x.py", "pkg.sub.m", "pkg/sub/m.pyi"),
        (["pkg/m.py", "pkg/m/__init__.py", "x.py"], "x.py", "pkg.m", "pkg/m/__init__.py"),
        (["pkg/m.py", "x.py"], "x.py", "pkg.m.n", None),
        (["celery.py", "x.py"], "x.py", "celery", None),
        (["proj/__init__.py", "proj/celery.py", "x.py"], "x.py", "proj.celery", "proj/celery.py"),
        (["datetime.py", "x.py"], "x.py", "datetime", None),
    ],
)
def test_where_a_module_lies(files: list[str], importer: str, module: str, found: str | None) -> None:
    assert project(dict.fromkeys(files, "")).module(module, importer) == found


@pytest.mark.parametrize(
    ("importer", "module", "found"),
    [
        ("a/b/x.py", ".y", "a/b/y.py"),
        ("a/b/x.py", "..z", "a/z.py"),
        ("a/b/x.py", "..", "a/__init__.py"),
        ("a/b/__init__.py", ".y", "a/b/y.py"),
        ("a/b/__init__.py", ".", "a/b/__init__.py"),
        ("a/b/x.py", "....q", None),
        ("top.py", ".other", "other.py"),
        ("top.py", ".", "__init__.py"),
        ("a/b/x.py", "...", "__init__.py"),
        ("a/b/x.py", ".nothing", None),
    ],
)
def test_relative_imports(importer: str, module: str, found: str | None) -> None:
    files = ["__init__.py", "a/__init__.py", "a/z.py", "a/b/__init__.py", "a/b/x.py", "a/b/y.py", "top.py", "other.py"]
    assert project(dict.fromkeys(files, "")).module(module, importer) == found


def test_a_root_that_is_a_package_can_be_named() -> None:
    files = {"lib/__init__.py": "", "lib/util.py": "def f(): ...", "x.py": ""}
    assert project(files).module("util", "x.py") is None
    assert project(files, "lib").module("util", "x.py") == "lib/util.py"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("src/pkg/sub/m.py", "pkg.sub.m"),
        ("src/pkg/__init__.py", "pkg"),
        ("scripts/run.py", "run"),
        ("src/pkg/data/free.py", "free"),
    ],
)
def test_the_name_of_a_module(path: str, name: str) -> None:
    files = ["src/pkg/__init__.py", "src/pkg/sub/__init__.py", "src/pkg/sub/m.py", "scripts/run.py", "src/pkg/data/free.py"]
    assert project(dict.fromkeys(files, "")).module_name(path) == name


def test_a_file_called_celery_does_not_hide_the_engine() -> None:
    files = {
        "proj/__init__.py": "from .celery import app as celery_app\n",
        "proj/celery.py": "from celery import Celery\napp = Celery('proj')\n",
        "proj/user.py": "from celery import shared_task\nfrom proj import celery_app\nfrom proj.celery import app\n",
        "datetime.py": "def datetime(): ...\n",
        "clock.py": "from datetime import datetime\n",
    }
    assert resolve(files, "shared_task", "proj/user.py").name == "celery.shared_task"
    for name in ("celery_app", "app"):
        symbol = resolve(files, name, "proj/user.py")
        assert (symbol.name, symbol.path, symbol.assignment) == ("proj.celery.app", "proj/celery.py", 0)
    assert resolve(files, "datetime.now", "clock.py").name == "datetime.datetime.now"


def test_a_name_bound_in_a_package_hides_the_submodule_of_that_name() -> None:
    files = {
        "proj/__init__.py": "from .celery import app as celery\n",
        "proj/celery.py": "app = make()\n",
        "proj/plain/__init__.py": "",
        "proj/plain/celery.py": "app = make()\n",
        "x.py": "from proj import celery as bound\nfrom proj.plain import celery as module\n",
    }
    assert resolve(files, "bound", "x.py").assignment == 0
    assert resolve(files, "module", "x.py").assignment == -1
    assert resolve(files, "module.app", "x.py").assignment == 0


@pytest.mark.parametrize("dotted", ["a", "b", "loop", "a.b.c", "Left.method", "Right"])
def test_circles_end(dotted: str) -> None:
    files = {
        "one.py": "from two import a\nfrom two import *\nb = a\nloop = loop\nclass Left(Right): ...\nfrom two import Right\n",
        "two.py": "from one import b as a\nfrom one import *\nclass Right(Left): ...\n",
    }
    assert resolve(files, dotted, "one.py").name


def test_methods_are_found_in_base_classes() -> None:
    files = {
        "base.py": "class Root:\n    def far(self): ...\n",
        "mid.py": "import base\nclass Mid(base.Root):\n    def near(self): ...\n",
        "x.py": "from mid import Mid\nclass Own(Mid[int], metaclass=Meta):\n    class Inner:\n        def deep(self): ...\n",
    }
    made = project(files)
    assert made.resolve("x.py", "Own.far").name == "base.Root.far"
    assert made.resolve("x.py", "Own.near").path == "mid.py"
    assert made.resolve("x.py", "Own.Inner.deep").name == "x.Own.Inner.deep"
    assert made.resolve("x.py", "Own.nothing").state == "unknown"
    assert made.base_names("x.py", 0) == ["mid.Mid", "base.Root"]
    assert made.mro("x.py", 0) == [("x.py", 0), ("mid.py", 0), ("base.py", 0)]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("time = 1", "local"),
        ("for time in x: pass", "local"),
        ("with x as time: pass", "local"),
        ("with x as (time, other): pass", "local"),
        ("try: pass\n    except E as time: pass", "local"),
        ("(time := 1)", "local"),
        ("time += 1", "local"),
        ("a, *time = 1", "local"),
        ("match x:\n        case {'k': time}: pass", "local"),
        ("match x:\n        case [*time]: pass", "local"),
        ("match x:\n        case Point(x=time): pass", "local"),
        ("match x:\n        case [1] as time: pass", "local"),
        ("match x:\n        case time.X: pass", "external"),
        ("import time", "external"),
        ("def time(): ...\n    pass", "internal"),
        ("global time\n    time = 1", "external"),
        ("pass", "external"),
        ("x.time = 1", "external"),
        ("[time for time in x]", "external"),
    ],
)
def test_what_hides_a_module_in_a_function(body: str, state: str) -> None:
    code = f"import time\ndef f(x):\n    {body}\n"
    made = project({"wf.py": code})
    assert made.resolve("wf.py", "time", 0).state == state


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("def f(time): ...", "local"),
        ("def f(*time): ...", "local"),
        ("def f(*, time=1): ...", "local"),
        ("def f[time](): ...", "local"),
        ("def f(time):\n    def g(): ...", "local"),
        ("def f(time):\n    def g():\n        nonlocal time\n        time = 1", "local"),
        ("class C:\n    time = 1\n    def f(self): ...", "external"),
        ("class C:\n    import time\n    def f(self): ...", "external"),
    ],
)
def test_the_scopes_round_a_function(code: str, state: str) -> None:
    assert resolve_inside(f"import time\n{code}\n", "time").state == state


def test_a_name_bound_nowhere_is_read_by_convention() -> None:
    assert resolve({USER: ""}, "workflow.now") == Symbol("temporalio.workflow.now", "unbound")
    assert resolve({USER: "workflow = make()"}, "workflow.now").state == "unknown"


def test_what_an_answer_was_read_from_is_recorded() -> None:
    files = {"app/__init__.py": "", "app/tasks.py": "def send(): ...", USER: "from app.tasks import send"}
    made = project(files)
    with made.recording() as first:
        made.resolve(USER, "send")
    with made.recording() as again:
        made.resolve(USER, "send")
    assert {("file", USER), ("file", "app/tasks.py"), ("module", "app.tasks", "app")} <= first
    assert first == again
    assert made.answer(("module", "app.tasks", "app")) == b"app/tasks.py"


def test_a_file_that_cannot_be_read_is_unknown() -> None:
    made = project({"x.py": "from bad import name\n", "bad.py": "\0"})
    assert made.resolve("x.py", "name").state == "unknown"
    assert made.resolve("bad.py", "name").state == "unknown"
