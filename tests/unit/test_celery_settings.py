"""Celery's settings, wherever a project keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from keel_lint.jobs import Jobs
from keel_lint.jobs.celery_settings import CelerySettings, setting_of
from keel_lint.jobs.values import UNKNOWN
from keel_lint.project import Project
from tests.unit.memory import Memory

APP = "from celery import Celery\napp = Celery('shop')\n"
DJANGO = APP + "app.config_from_object('django.conf:settings', namespace='CELERY')\n"


def read(contents: Mapping[str, str], relevant: tuple[str, ...] | None = None, settings: str | None = None) -> CelerySettings:
    project = Project(Path(), tuple(contents), Memory(contents))
    return Jobs(project, relevant if relevant is not None else tuple(contents), settings_module=settings).settings


SET = {
    "attribute": {"app.py": APP + "app.conf.task_time_limit = 5\n"},
    "subscript": {"app.py": APP + "app.conf['task_time_limit'] = 5\n"},
    "update": {"app.py": APP + "app.conf.update(task_time_limit=5)\n"},
    "update with a dict": {"app.py": APP + "app.conf.update({'task_time_limit': 5})\n"},
    "update with dict()": {"app.py": APP + "app.conf.update(dict(task_time_limit=5))\n"},
    "update by name": {"app.py": APP + "CONF = {'task_time_limit': 5}\napp.conf.update(CONF)\n"},
    "update with **": {"app.py": APP + "CONF = {'task_time_limit': 5}\napp.conf.update(**CONF)\n"},
    "update from another file": {
        "app.py": APP + "from c import CONF\napp.conf.update(CONF)\n",
        "c.py": "CONF = {'task_time_limit': 5}\n",
    },
    "defaults": {"app.py": APP + "app.add_defaults({'task_time_limit': 5})\n"},
    "in a factory": {
        "app.py": "from celery import Celery\ndef make():\n    app = Celery()\n    app.conf.task_time_limit = 5\n"
    },
    "argument": {"app.py": "from celery import Celery\napp = Celery('shop', task_time_limit=5)\n"},
    "changes": {"app.py": "from celery import Celery\napp = Celery(changes={'task_time_limit': 5})\n"},
    "source": {"app.py": "from celery import Celery\napp = Celery(config_source='c')\n", "c.py": "task_time_limit = 5\n"},
    "module by name": {"app.py": APP + "app.config_from_object('shop.c')\n", "shop/c.py": "task_time_limit = 5\n"},
    "module": {"app.py": APP + "from shop import c\napp.config_from_object(c)\n", "shop/c.py": "task_time_limit = 5\n"},
    "class by name": {
        "app.py": APP + "app.config_from_object('c:Config')\n",
        "c.py": "class Config:\n    task_time_limit = 5\n",
    },
    "class": {"app.py": APP + "class C:\n    task_time_limit = 5\napp.config_from_object(C)\n"},
    "instance": {"app.py": APP + "class C:\n    task_time_limit = 5\napp.config_from_object(C())\n"},
    "inherited": {"app.py": APP + "class B:\n    task_time_limit = 5\nclass C(B): ...\napp.config_from_object(C)\n"},
    "object in a variable": {"app.py": APP + "class C:\n    task_time_limit = 5\nc = C()\napp.config_from_object(c)\n"},
    "dict object": {"app.py": APP + "C = {'task_time_limit': 5}\napp.config_from_object(C)\n"},
    "module with a star": {
        "app.py": APP + "app.config_from_object('c')\n",
        "c.py": "from base import *\n",
        "base.py": "task_time_limit = 5\n",
    },
    "namespace": {"app.py": APP + "app.config_from_object('c', namespace='SHOP')\n", "c.py": "SHOP_TASK_TIME_LIMIT = 5\n"},
    "django": {"app.py": DJANGO, "settings.py": "CELERY_TASK_TIME_LIMIT = 5\n"},
    "django, split": {
        "app.py": DJANGO,
        "settings/base.py": "CELERY_TASK_TIME_LIMIT = 5\n",
        "settings/prod.py": "from .base import *\n",
    },
    "django, old": {"app.py": APP, "settings.py": "CELERYD_TASK_TIME_LIMIT = 5\n"},
    "django, class": {"app.py": DJANGO, "settings.py": "class Base(Configuration):\n    CELERY_TASK_TIME_LIMIT = 5\n"},
    "dict": {"app.py": APP, "settings.py": "CELERY = {'task_time_limit': 5}\n"},
    "flask class": {"app.py": APP, "config.py": "class Config:\n    CELERY = {'task_time_limit': 5}\n"},
    "flask dict of a base": {
        "app.py": APP,
        "config.py": (
            "class Base:\n    OTHER = {'task_time_limit': 5}\nclass Config:\n    CELERY = {**Base.OTHER, 'timezone': 'UTC'}\n"
        ),
    },
    "flask mapping": {"app.py": APP + "flask.config.from_mapping(CELERY=dict(task_time_limit=5))\n"},
    "flask update": {"app.py": APP + "flask.config.update(CELERY_TASK_TIME_LIMIT=5, DEBUG=True)\n"},
    "flask subscript": {"app.py": APP + "flask.config['CELERY_TASK_TIME_LIMIT'] = 5\n"},
    "long dict": {"app.py": APP, "settings.py": f"CELERY = {{'imports': {['x' * 40] * 120}, 'task_time_limit': 5}}\n"},
}


@pytest.mark.parametrize("contents", SET.values(), ids=SET)
def test_a_setting_is_found(contents: dict[str, str]) -> None:
    found = read(contents)
    assert found.value("task_time_limit") == 5
    assert not found.opaque


def test_a_module_that_only_configures_is_read() -> None:
    contents = {"app.py": APP + "app.config_from_object('c')\n", "c.py": "task_time_limit = 5\n"}
    assert read(contents, ("app.py",)).value("task_time_limit") == 5


NOT_SET = {
    "another setting": {"app.py": APP + "app.conf.task_acks_late = True\n"},
    "another conf": {"app.py": APP, "x.py": "task_time_limit = 5\n"},
    "for tests": {"app.py": DJANGO, "settings/test.py": "CELERY_TASK_TIME_LIMIT = 5\n"},
    "for local work": {"app.py": DJANGO, "settings/local.py": "CELERY_TASK_TIME_LIMIT = 5\n"},
    "class for development": {"app.py": APP, "config.py": "class Development:\n    CELERY = {'task_time_limit': 5}\n"},
    "flask's own": {"app.py": APP + "flask.config.update(TASK_TIME_LIMIT=5)\n"},
}


@pytest.mark.parametrize("contents", NOT_SET.values(), ids=NOT_SET)
def test_a_setting_is_not_found(contents: dict[str, str]) -> None:
    found = read(contents)
    assert found.value("task_time_limit") is None
    assert not found.opaque


OPAQUE = {
    "environment": APP + "app.config_from_envvar('CONF')\n",
    "call": APP + "app.conf.update(options())\n",
    "spread": APP + "app.conf.update(**options)\n",
    "unknown object": APP + "app.config_from_object(conf_of('x'))\n",
    "foreign module": APP + "app.config_from_object('other.conf')\n",
    "foreign class": "from shop_utils.celery import ShopCelery\nshop_celery = ShopCelery()\n",
}


@pytest.mark.parametrize("code", OPAQUE.values(), ids=OPAQUE)
def test_what_cannot_be_read_is_said(code: str) -> None:
    found = read({"app.py": code})
    assert found.opaque
    assert found.value("task_time_limit") is UNKNOWN


@pytest.mark.parametrize("value", ["env.int('X')", "int(os.environ.get('X', 5))", "MINUTE * 5"])
def test_a_value_from_the_environment_is_set_and_unknown(value: str) -> None:
    found = read({"app.py": DJANGO, "settings.py": f"CELERY_TASK_TIME_LIMIT = {value}\n"})
    assert found.get("task_time_limit")
    assert found.value("task_time_limit") is UNKNOWN


def test_modules_that_differ_have_no_one_value() -> None:
    settings = {f"{name}/settings.py": f"CELERY_TASK_TIME_LIMIT = {value}\n" for name, value in (("a", 5), ("b", 6))}
    found = read({"app.py": DJANGO, **settings})
    assert found.value("task_time_limit") is UNKNOWN


def test_modules_that_agree_in_other_words_have_one_value() -> None:
    found = read({"app.py": DJANGO, "a.py": "CELERY_TASK_SERIALIZER = 'json'\n", "b.py": 'CELERY_TASK_SERIALIZER = "json"\n'})
    assert found.value("task_serializer") == "json"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CELERY_TASK_ACKS_LATE", "task_acks_late"),
        ("CELERY_ACKS_LATE", "task_acks_late"),
        ("CELERYD_TASK_SOFT_TIME_LIMIT", "task_soft_time_limit"),
        ("CELERYD_PREFETCH_MULTIPLIER", "worker_prefetch_multiplier"),
        ("CELERYBEAT_SCHEDULE", "beat_schedule"),
        ("CELERY_BEAT_SCHEDULE", "beat_schedule"),
        ("CELERY_TASK_RESULT_EXPIRES", "result_expires"),
        ("CELERY_RESULT_BACKEND", "result_backend"),
        ("BROKER_URL", "broker_url"),
        ("task_routes", "task_routes"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert setting_of(name) == expected


APPS = {
    "class": APP,
    "module": "import celery\napp = celery.Celery()\n",
    "in a function": "from celery import Celery\ndef make(flask):\n    app = Celery(flask.name)\n    return app\n",
    "own class": "from celery import Celery\nclass ShopCelery(Celery): ...\napp = ShopCelery()\n",
    "foreign class": "from shop_utils.celery import ShopCelery\napp = ShopCelery()\n",
    "no import": "app = Celery('shop')\n",
}


@pytest.mark.parametrize("code", APPS.values(), ids=APPS)
def test_applications(code: str) -> None:
    assert [app.name for app in read({"app.py": code}).apps] == ["app"]


def test_the_arguments_of_an_application() -> None:
    found = read({"app.py": "from celery import Celery\napp = Celery('x', broker='redis://', backend='rpc://')\n"})
    assert (found.value("broker_url"), found.value("result_backend")) == ("redis://", "rpc://")


# -- which of Django's settings modules count -----------------------------------------------------------------------------

LIMIT = "CELERY_TASK_TIME_LIMIT"
MODULES = {
    "app.py": DJANGO,
    "shop/settings/__init__.py": "",
    "shop/settings/base.py": f"{LIMIT} = 1\n",
    "shop/settings/heroku.py": f"from .base import *\n{LIMIT} = 2\n",
    "shop/settings/dev.py": f"{LIMIT} = 3\n",
    "shop/settings/prod.py": f"{LIMIT} = 4\n",
    "other/settings.py": f"{LIMIT} = 5\n",
}
STARTER = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.{}')\n"


def limits(contents: Mapping[str, str], settings: str | None = None) -> list[str]:
    return sorted(one.value for one in read(contents, settings=settings).get("task_time_limit"))


def test_without_a_name_every_module_counts_that_may_be_productions() -> None:
    assert limits(MODULES) == ["1", "2", "4", "5"]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("shop.settings.heroku", ["1", "2", "5"]),
        ("shop.settings.base", ["1", "5"]),
        ("shop.settings.dev", ["3", "5"]),
        ("other.settings", ["1", "2", "4", "5"]),
    ],
)
def test_the_configured_module_counts_with_what_it_imports(module: str, expected: list[str]) -> None:
    """Modules of other folders may be another service's."""
    assert limits(MODULES, module) == expected


@pytest.mark.parametrize("starter", ["shop/wsgi.py", "shop/asgi.py", "manage.py", "shop/celery_app.py"])
def test_the_module_that_a_process_starts_with_counts_beside_what_its_environment_may_name(starter: str) -> None:
    assert limits({**MODULES, starter: STARTER.format("heroku")}) == ["1", "2", "4", "5"]
    assert limits({**MODULES, starter: STARTER.format("base")}) == ["1", "4", "5"]
    subscript = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings.base'\n"
    assert limits({**MODULES, starter: subscript}) == ["1", "4", "5"]


def test_a_default_for_people_decides_nothing() -> None:
    assert limits({**MODULES, "manage.py": STARTER.format("dev")}) == limits(MODULES)


def test_the_configuration_wins_over_what_a_process_starts_with() -> None:
    assert limits({**MODULES, "manage.py": STARTER.format("heroku")}, "shop.settings.prod") == ["4", "5"]


def test_every_module_counts_beside_one_that_is_put_together() -> None:
    composed = {**MODULES, "shop/settings/prod.py": "from split_settings.tools import include\ninclude('base.py')\n"}
    assert limits(composed, "shop.settings.prod") == ["1", "2", "5"]


def test_one_file_beside_others() -> None:
    files = {
        "app.py": DJANGO,
        "shop/settings.py": f"from shop.celery_options import *\n{LIMIT} = 1\n",
        "shop/settings_old.py": f"{LIMIT} = 2\n",
        "shop/celery_options.py": f"{LIMIT} = 3\n",
        "shop/plans.py": f"{LIMIT} = 4\n",
        "shop/wsgi.py": STARTER.format("").replace(".'", "'"),
    }
    assert limits(files) == ["1", "3", "4"]


def test_a_configured_module_that_is_not_there() -> None:
    contents = {**MODULES}
    jobs = Jobs(Project(Path(), tuple(contents), Memory(contents)), tuple(contents), settings_module="shop.setings")
    assert jobs.settings_modules.missing == "shop.setings"
    assert limits(MODULES, "shop.setings") == limits(MODULES)
