"""Serializers and content types: what stands for what. Source: `kombu.serialization`."""

from __future__ import annotations

from collections.abc import Iterable

from keel_lint.jobs.values import UNKNOWN

CONTENT_TYPES = {
    "application/json": "json",
    "application/x-python-serialize": "pickle",
    "application/x-msgpack": "msgpack",
    "application/x-yaml": "yaml",
}
KNOWN = frozenset(CONTENT_TYPES.values())


def content_type(name: object) -> object:
    """The serializer that a name or content type stands for, as its name."""
    return CONTENT_TYPES.get(name, name) if isinstance(name, str) else name


def accepted(setting: object) -> frozenset[object] | None:
    """The serializers that a value of `accept_content` lets in, `None` where that cannot be told; JSON where it is not set."""
    if setting is None:
        return frozenset({"json"})
    if setting is UNKNOWN or isinstance(setting, str) or not isinstance(setting, Iterable):
        return None
    found = frozenset(content_type(name) for name in setting)
    return found if UNKNOWN not in found else None
