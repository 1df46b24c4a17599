"""What names are worth, in whatever file their constants stand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from keel_lint.jobs.constants import Constants
from keel_lint.jobs.values import UNKNOWN, fold
from keel_lint.project import Project
from tests.unit.memory import Memory

FILES = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.production")\n',
    "shop/__init__.py": "",
    "shop/settings/__init__.py": "",
    "shop/settings/base.py": "HOUR = 60 * 60\nQUEUE = 'mail'\nEAGER = False\nif EAGER:\n    LIMIT = 5\nelse:\n    LIMIT = 6\n",
    "shop/settings/production.py": "from .base import *\nEAGER = True\nONLY = 3\n",
    "shop/settings/dev.py": "from .base import *\nHOUR = 1\n",
    "shop/names.py": (
        "from datetime import timedelta\nfrom enum import Enum, StrEnum, auto\nfrom django.db import models\n"
        "PREFIX = 'shop'\nMAIL = f'{PREFIX}.mail'\nSUM = PREFIX + '.sum'\nDAY = timedelta(days=1)\n"
        "TWICE = 1\nTWICE = 2\n\n"
        "class Plain:\n    QUEUE = PREFIX + '-plain'\n\n"
        "class Derived(Plain):\n    pass\n\n"
        "class Kind(Enum):\n    ONE = 'one'\n\n"
        "class Text(str, Enum):\n    ONE = 'text-one'\n\n"
        "class Auto(StrEnum):\n    ONE = auto()\n\n"
        "class Choice(models.TextChoices):\n    ONE = 'c1', 'Choice one'\n"
    ),
    "shop/use.py": (
        "from django.conf import settings\nfrom shop.names import *\nfrom shop import names\n"
        "import shop.names as other\nLATER = settings.HOUR * 2\n"
    ),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL", "shop.mail"),
        ("names.SUM", "shop.sum"),
        ("other.DAY", timedelta(days=1)),
        ("TWICE", UNKNOWN),
        ("Plain.QUEUE", "shop-plain"),
        ("Derived.QUEUE", "shop-plain"),
        ("Kind.ONE", UNKNOWN),
        ("Kind.ONE.value", "one"),
        ("Text.ONE", "text-one"),
        ("Text.ONE.value", "text-one"),
        ("Auto.ONE", "one"),
        ("Choice.ONE", "c1"),
        ("Plain.QUEUE.value", UNKNOWN),
        ("Plain.MISSING", UNKNOWN),
        ("settings.HOUR", 3600),
        ("settings.QUEUE", "mail"),
        ("settings.ONLY", 3),
        ("settings.EAGER", UNKNOWN),
        ("settings.LIMIT", UNKNOWN),
        ("settings.MISSING", UNKNOWN),
        ("LATER", 7200),
    ],
)
def test_what_a_name_is_worth(name: str, value: object) -> None:
    assert Constants(Project(Path(), tuple(FILES), Memory(FILES))).value("shop/use.py", name) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a' 'b'", "ab"),
        ("'a' + 'b'", "ab"),
        ("['a'] + ['b']", ["a", "b"]),
        ("f'{1 + 1}-x'", "2-x"),
        ("f'{1:02d}'", UNKNOWN),
        ("f'{name}'", UNKNOWN),
        ("'a' + name", UNKNOWN),
        ("'a' * 9", UNKNOWN),
        ("60 * (10**2)", 6000),
        ("10**-2", UNKNOWN),
        ("2**10**9", UNKNOWN),
    ],
)
def test_strings_fold(text: str, value: object) -> None:
    assert fold(text) == value
