"""The names of calls, and which of them block."""

from __future__ import annotations

from pathlib import Path

import pytest

from keel_lint.flow.canonical import CanonicalNames
from keel_lint.flow.classes import Classes
from keel_lint.jobs.blocking import kind_of
from keel_lint.project import Project
from tests.unit.memory import Memory

BLOCKING = {
    "time.sleep": "sleep",
    "requests.get": "network",
    "requests.Session.post": "network",
    "urllib.request.urlopen": "network",
    "http.client.HTTPSConnection.request": "network",
    "httpx.Client.get": "network",
    "django.core.mail.send_mail": "network",
    "boto3.client.put_object": "network",
    "boto3.session.Session.client.get_secret_value": "network",
    "boto3.client.get_paginator.paginate.build_full_result": "network",
    "boto3.resource.Bucket.upload_file": "network",
    "openai.OpenAI.chat.completions.create": "network",
    "stripe.Charge.create": "network",
    "redis.Redis.get": "network",
    "redis.Redis.pipeline.execute": "network",
    "pymongo.MongoClient.shop.orders.find_one": "network",
    "psycopg2.connect": "database",
    "sqlalchemy.orm.Session.execute": "database",
    "subprocess.run": "program",
    "subprocess.Popen.communicate": "program",
    "shutil.rmtree": "files",
    "concurrent.futures.ThreadPoolExecutor.submit.result": "waiting",
    "queue.Queue.get": "waiting",
}
NOT_BLOCKING = (
    "asyncio.sleep", "boto3.client", "boto3.client.generate_presigned_url", "boto3.client.get_object.get", "builtins.open",
    "http.client.HTTPSConnection", "httpx.AsyncClient.get", "httpx.Client", "openai.AsyncOpenAI.chat.completions.create",
    "openai.OpenAI", "redis.Redis", "redis.Redis.pipeline", "redis.Redis.pipeline.set", "redis.asyncio.Redis.get",
    "requests.get.json", "stripe.Charge.create_async", "stripe.Webhook.construct_event", "subprocess.Popen",
)  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), BLOCKING.items())
def test_a_call_that_blocks(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize("name", NOT_BLOCKING)
def test_a_call_that_does_not_block(name: str) -> None:
    assert kind_of(name) is None


CODE = """
import boto3
import requests
from redis import Redis

web = requests.Session()


def cache() -> Redis: ...


class Store:
    region = "eu"

    def __init__(self, client, given: Redis) -> None:
        self.files = boto3.Session().client("s3")
        self.or_given = client or boto3.client("s3")
        self.cache = given
        self.twice = boto3.client("s3")
        self.unknown = client

    def reset(self) -> None:
        self.twice = None
        self.unknown = requests.Session()

    def use(self, given: Redis) -> None:
        local = cache()
        {call}()
"""
NAMES = {
    "web.get": "requests.Session.get",
    "given.get": "redis.Redis.get",
    "local.get": "redis.Redis.get",
    "cache().get": "redis.Redis.get",
    "self.files.put_object": "boto3.Session.client.put_object",
    "self.or_given.put_object": "boto3.client.put_object",
    "self.cache.get": "redis.Redis.get",
    "self.twice.put_object": "boto3.client.put_object",
    "self.unknown.get": "",
    "self.missing.get": "",
}


@pytest.mark.parametrize(("call", "name"), NAMES.items())
def test_the_name_of_a_call(call: str, name: str) -> None:
    """That of what made the object; a name that an object may or may not have is none."""
    files = Memory({"store.py": CODE.replace("{call}", call)})
    project = Project(Path("/project"), ["store.py"], files)
    fact = next(one for one in project.facts("store.py").calls if one.callee == call)
    assert CanonicalNames(project, Classes(project)).of("store.py", call, fact.scope) == name
