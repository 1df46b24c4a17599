"""What the unit tests share: rule packs made for a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

MakePack = Callable[[str, Mapping[str, str]], str]


@pytest.fixture(scope="session")
def make_pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePack]:
    """Write a package of rule files (text by name) where it can be imported; returns its name."""
    folder = tmp_path_factory.mktemp("packs")

    def make(name: str, files: Mapping[str, str]) -> str:
        (folder / name).mkdir()
        for file, text in {"__init__.py": "", **files}.items():
            (folder / name / file).write_text(text)
        return name

    sys.path.insert(0, str(folder))
    yield make
    sys.path.remove(str(folder))
