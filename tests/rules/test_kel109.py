"""KEL109: what its examples do not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keel_lint.finding import Finding

Lint = Callable[..., list[Finding]]

HEAD = """\
import base64, gzip
from pathlib import Path
import pandas as pd
from celery import shared_task
from django.http import HttpRequest
from shop.models import Order

@shared_task
def load(*args, **kwargs):
    print(args, kwargs)

"""

FLAGGED = {
    "read": "def f(upload):\n    load.delay(upload.read())\n",
    "awaited": "async def f(upload):\n    load.delay(await upload.read())\n",
    "decoded": "def f():\n    text = open('x').read().decode()\n    load.delay(text)\n",
    "read_text": "def f():\n    load.apply_async(kwargs={'text': Path('x').read_text()})\n",
    "encoded": "def f():\n    with gzip.open('x') as file:\n        load.delay(base64.b64encode(file.read()))\n",
    "body": "def f(request: HttpRequest):\n    load.delay(request.body)\n",
    "body of a view": "def f(request):\n    print(request.META)\n    load.delay(request.body.decode())\n",
    "frame": "def f():\n    load.delay(pd.read_csv('x'))\n",
    "dumped frame": "def f(frame: pd.DataFrame):\n    load.delay(frame.dropna().to_json())\n",
    "rows": "def f():\n    rows = Order.objects.filter(total=1).values()\n    load.delay(list(rows))\n",
    "pairs": "def f():\n    load.delay(list(Order.objects.values_list('pk', 'total')))\n",
    "signature": "def f():\n    return load.s(Path('x').read_bytes())\n",
}


@pytest.mark.parametrize("code", FLAGGED.values(), ids=FLAGGED)
def test_flagged(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL109")
    assert "`load`" in finding.message


FILES = {
    "open file": "def f():\n    with open('x') as file:\n        load.delay(file)\n",
    "upload": "def f(request: HttpRequest):\n    load.delay(request.FILES['x'])\n",
    "annotated upload": (
        "from django.core.files.uploadedfile import UploadedFile\ndef f(upload: UploadedFile):\n    load.delay(upload)\n"
    ),
}


@pytest.mark.parametrize("code", FILES.values(), ids=FILES)
def test_a_file_is_refused_by_json_and_large_with_pickle(lint: Lint, code: str) -> None:
    (finding,) = lint({"a.py": HEAD + code}, "KEL107", "KEL109")
    assert finding.code == "KEL107"
    pickled = {"a.py": HEAD + code, "app.py": "from celery import Celery\napp = Celery('x', task_serializer='pickle')\n"}
    assert [one.code for one in lint(pickled, "KEL107", "KEL109")] == ["KEL109"]


SILENT = {
    "part": "def f(file):\n    load.delay(file.read(16))\n",
    "keys": "def f():\n    load.delay(list(Order.objects.values_list('pk', flat=True)))\n",
    "slice": "def f():\n    load.delay(list(Order.objects.values('pk', 'total')[:10]))\n",
    "name": "def f(upload):\n    load.delay(upload.name, len(upload.read()))\n",
    "request data": "def f(request):\n    load.delay(request.data, request.POST, request.META['x'])\n",
    "own class": "class Config:\n    def read(self): ...\ndef f():\n    load.delay(Config.read())\n",
    "path": "def f():\n    path = Path('x')\n    load.delay(str(path))\n",
    "size of a frame": "def f():\n    frame = pd.read_csv('x')\n    load.delay(len(frame), frame.shape)\n",
    "not sent": "def f():\n    content = open('x').read()\n    load(content)\n    load.delay(1)\n",
    "body of another": "def f(message):\n    load.delay(message.body)\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent(lint: Lint, code: str) -> None:
    assert lint({"a.py": HEAD + code}, "KEL109") == []


def test_rows_of_a_model_are_kel106(lint: Lint) -> None:
    code = f"{HEAD}def f():\n    load.delay(list(Order.objects.all()))\n"
    assert [finding.code for finding in lint({"a.py": code}, "KEL106", "KEL109")] == ["KEL106"]
