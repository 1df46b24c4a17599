"""The table of what the sandbox refuses is that of the temporalio that is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from keel_lint.jobs.sandbox import refused, refused_at_import
from keel_lint.jobs.sandbox_members import COMPARED, EXCEPTED, MEMBERS

NEWEST = COMPARED[-1]
SCRIPT = Path(__file__).parents[2] / "tools" / "sandbox_table.py"


def script() -> ModuleType:
    """The generator, loaded from its file."""
    spec = importlib.util.spec_from_file_location("sandbox_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_installed_sandbox_restricts() -> None:
    pytest.importorskip("temporalio.worker.workflow_sandbox")
    generator = script()
    version, members, excepted = generator.restricted()
    release = generator.release(version)
    if release > NEWEST:
        pytest.skip(f"temporalio {version} is newer than the table: run tools/sandbox_table.py")
    # Python 3.14 lets `os.path` through; functions of newer Pythons are restricted by the name of a sister.
    differing = {"os.path.*"} if sys.version_info >= (3, 14) else set()
    known = {name: how for name, (how, since) in MEMBERS.items() if since <= release}
    assert {name: how for name, how in members.items() if name not in differing} == {
        name: how for name, how in known.items() if name not in differing
    }
    assert set(excepted) >= EXCEPTED


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("time.time", True),
        ("random.choice", True),
        ("os.getenv", True),
        ("os.environ.get", True),
        ("os.stat", False),
        ("subprocess.run", True),
        ("http.client.HTTPConnection", True),
        ("pathlib.Path.read_text", True),
        ("pathlib.Path.joinpath", False),
        ("builtins.open", True),
        ("io.open", False),
        ("time.gmtime", False),
        ("asyncio.wait", False),
        ("requests.get", None),
    ],
)
def test_what_a_call_meets(name: str, expected: bool | None) -> None:
    assert refused(name, NEWEST) is expected


def test_versions_differ() -> None:
    assert refused("uuid.uuid7", NEWEST) is True
    assert refused("uuid.uuid7", (1, 20)) is False


def test_at_import_less_is_refused() -> None:
    assert refused_at_import("datetime.datetime.now", NEWEST)
    assert refused_at_import("random.random", NEWEST)
    assert not refused_at_import("time.time", NEWEST)
    assert not refused_at_import("uuid.uuid4", NEWEST)
