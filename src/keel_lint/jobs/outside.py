"""Talking to the outside: HTTP, mail servers, cloud services and sockets, by the canonical names of the calls.

`waits` says that a call without a timeout waits for ever; the others give up by themselves after a while. Sources: the
documentation of each library, for `requests` https://requests.readthedocs.io/en/latest/user/advanced/#timeouts, for the standard
library https://docs.python.org/3/library/socket.html#socket.getdefaulttimeout
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.index.facts import Call
    from keel_lint.project import Project, Symbol

_VERBS = ("delete", "get", "head", "options", "patch", "post", "put", "request")
WAITING = frozenset({
    *(f"requests.{verb}" for verb in _VERBS),
    *(f"requests.api.{verb}" for verb in _VERBS),
    *(f"requests.{session}.{verb}" for session in ("Session", "session", "sessions.Session") for verb in (*_VERBS, "send")),
    "ftplib.FTP", "ftplib.FTP_TLS", "http.client.HTTPConnection", "http.client.HTTPSConnection", "imaplib.IMAP4",
    "imaplib.IMAP4_SSL", "paramiko.SSHClient.connect", "paramiko.client.SSHClient.connect", "poplib.POP3", "poplib.POP3_SSL",
    "smtplib.LMTP", "smtplib.SMTP", "smtplib.SMTP_SSL", "socket.create_connection", "telnetlib.Telnet", "urllib.request.urlopen",
    "urllib3.HTTPConnectionPool.request", "urllib3.HTTPSConnectionPool.request", "urllib3.PoolManager.request",
    "urllib3.PoolManager.urlopen", "urllib3.request",
})  # fmt: skip
"""Calls that wait for ever unless they are given a `timeout`."""

_WAITING_WITHOUT_ARGUMENT = frozenset({"urllib.request.urlretrieve", "xmlrpc.client.ServerProxy"})
_MAIL = frozenset({
    f"django.core.mail.{name}"
    for name in (
        "EmailMessage.send", "EmailMultiAlternatives.send", "mail_admins", "mail_managers", "message.EmailMessage.send",
        "message.EmailMultiAlternatives.send", "send_mail", "send_mass_mail",
    )
})  # fmt: skip
_SERVICES = re.compile(
    r"(?:aiohttp\.ClientSession|aioboto3|algoliasearch|anthropic|azure|boto|boto3|botocore|elasticsearch|github|gitlab"
    r"|google\.cloud|googleapiclient|hubspot|httpx|mailchimp_marketing|mailjet_rest|openai|opensearchpy|postmarker|pusher"
    r"|sendgrid|shopify|slack_sdk|stripe|twilio\.rest)\.(?:[\w.]+\.)?(?P<last>\w+)\Z"
)
_CLIENT = re.compile(r"(?:Async)?(?:\w*Client|Session|OpenAI|Anthropic|Elasticsearch|OpenSearch|Github|Gitlab)\Z")
_DEPTH = 3


@dataclass(frozen=True)
class Outgoing:
    """A call that talks to the outside, and the calls that lead to it, as (path, start, end, name), outermost first."""

    name: str
    waits: bool
    path: str
    start: int
    end: int
    through: tuple[tuple[str, int, int, str], ...] = ()


def talks(name: str) -> bool:
    """Whether a call of this canonical name talks to the outside."""
    return name in WAITING or name in _WAITING_WITHOUT_ARGUMENT or name in _MAIL or _is_service(name)


def _is_service(name: str) -> bool:
    found = _SERVICES.match(name)
    return found is not None and (found["last"][0].islower() or _CLIENT.match(found["last"]) is not None)


def outgoing(project: Project, path: str, position: int) -> tuple[Outgoing, ...]:
    """What a function says to the outside, itself and through the functions of the project that it calls, nearest first."""
    empty: tuple[Outgoing, ...] = ()
    found = project.memo(("outgoing", path, position), lambda: tuple(_outgoing(project, path, position, (path, position), 0)), empty)
    return tuple(sorted(found, key=lambda one: len(one.through)))


def _outgoing(project: Project, path: str, position: int, first: tuple[str, int], depth: int) -> Iterator[Outgoing]:
    facts = project.facts(path)
    body = facts.definitions[position]
    for call in facts.calls:
        if not body.body_start <= call.start < body.end:
            continue
        symbol = project.resolve(path, call.callee, call.scope)
        name = _through_assignment(project, symbol)
        if talks(name):
            yield Outgoing(name, _waits(project, path, call, name), path, call.start, call.end)
        elif depth < _DEPTH and _is_followed(project, symbol, first, (path, position)):
            here = (path, call.start, call.end, call.callee)
            for one in _outgoing(project, symbol.path, symbol.definition, first, depth + 1):
                yield Outgoing(one.name, one.waits, one.path, one.start, one.end, (here, *one.through))


def _is_followed(project: Project, symbol: Symbol, first: tuple[str, int], here: tuple[str, int]) -> bool:
    if symbol.state != "internal" or symbol.definition < 0 or (symbol.path, symbol.definition) in {first, here}:
        return False
    return project.facts(symbol.path).definitions[symbol.definition].kind == "function"


def _waits(project: Project, path: str, call: Call, name: str) -> bool:
    if name in _WAITING_WITHOUT_ARGUMENT:
        return True
    text = project.source(path).text[call.start : call.end]
    return name in WAITING and b"timeout" not in text and b"**" not in text
