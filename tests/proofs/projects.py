"""The parts that several projects under proof have in common."""

from __future__ import annotations

SETTINGS = """\
import json
import os

SECRET_KEY = "not secret"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
CELERY_BROKER_URL = os.environ["BROKER_URL"]
CELERY_RESULT_BACKEND = os.environ["BROKER_URL"]
"""

DJANGO = {
    "shop/settings.py": SETTINGS,
    "shop/__init__.py": "from shop.celery import app as celery_app\n",
    "shop/celery.py": """\
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
""",
}
"""A Django project `shop` with one app of the same name; `shop.models` and `shop.tasks` are the proof's."""

CELERY = {
    "shop/__init__.py": "from shop.app import app\n",
    "shop/app.py": """\
import os

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"], include=["shop.tasks"])
""",
}
"""A project `shop` with Celery alone; `shop.tasks` is the proof's."""
