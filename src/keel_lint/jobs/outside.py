"""Talking to the outside: HTTP, mail servers, cloud services and sockets, by the canonical names of the calls.

`waits` says that a call without a timeout waits for ever; the others give up by themselves after a while. Sources: for requests
https://requests.readthedocs.io/en/latest/user/advanced/#timeouts, for the standard library
https://docs.python.org/3/library/socket.html#socket.getdefaulttimeout, for the services the documentation of each client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keel_lint.jobs.instances import made_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keel_lint.finding import Hop
    from keel_lint.index.facts import Call, Import
    from keel_lint.project import Project, Symbol

_VERBS = ("delete", "get", "head", "options", "patch", "post", "put", "request")
WAITING = frozenset({
    *(f"requests.{verb}" for verb in _VERBS),
    *(f"requests.api.{verb}" for verb in _VERBS),
    *(f"requests.{session}.{verb}" for session in ("Session", "session") for verb in (*_VERBS, "send")),
    "ftplib.FTP", "ftplib.FTP_TLS", "http.client.HTTPConnection", "http.client.HTTPSConnection", "imaplib.IMAP4",
    "imaplib.IMAP4_SSL", "paramiko.SSHClient.connect", "paramiko.client.SSHClient.connect", "poplib.POP3", "poplib.POP3_SSL",
    "smtplib.LMTP", "smtplib.SMTP", "smtplib.SMTP_SSL", "socket.create_connection", "telnetlib.Telnet",
    "urllib.request.urlopen", "urllib3.HTTPConnectionPool.request", "urllib3.HTTPSConnectionPool.request",
    "urllib3.PoolManager.request", "urllib3.PoolManager.urlopen", "urllib3.request",
})  # fmt: skip
"""Calls that wait for ever unless they are given a `timeout`."""

_WAITING_WITHOUT_ARGUMENT = frozenset({"urllib.request.urlretrieve", "xmlrpc.client.ServerProxy"})
_SESSIONS = frozenset({
    "aiohttp.ClientSession", "paramiko.SSHClient", "requests.Session", "requests.session", "urllib3.PoolManager",
})  # fmt: skip
_MAIL = frozenset({
    f"django.core.mail.{name}"
    for name in (
        "EmailMessage.send", "EmailMultiAlternatives.send", "mail_admins", "mail_managers", "message.EmailMessage.send",
        "message.EmailMultiAlternatives.send", "send_mail", "send_mass_mail",
    )
})  # fmt: skip
_TALKS = WAITING | _WAITING_WITHOUT_ARGUMENT | _SESSIONS | _MAIL
_SERVICES = re.compile(
    r"(?:aiohttp\.ClientSession|aioboto3|algoliasearch|anthropic|azure|boto|boto3|botocore|elasticsearch|github|gitlab"
    r"|google\.cloud|googleapiclient|hubspot|httpx|mailchimp_marketing|mailjet_rest|openai|opensearchpy|postmarker|pusher"
    r"|sendgrid|shopify|slack_sdk|stripe|twilio\.rest)\.(?:[\w.]+\.)?(?P<last>\w+)\Z"
)
_CLIENT = re.compile(r"(?:Async)?(?:\w*Client|Session|OpenAI|Anthropic|Elasticsearch|OpenSearch|Github|Gitlab)\Z")
WORDS = frozenset(
    word.encode()
    for word in (
        "aiohttp", "aioboto3", "algoliasearch", "anthropic", "azure", "boto", "elasticsearch", "ftplib", "github", "gitlab",
        "google", "http", "hubspot", "imaplib", "mail", "openai", "opensearchpy", "paramiko", "poplib", "postmarker", "pusher",
        "requests", "sendgrid", "shopify", "slack_sdk", "smtplib", "socket", "stripe", "telnetlib", "twilio", "urllib",
        "xmlrpc",
    )
)  # fmt: skip
"""One of these stands in every file that talks to the outside."""

_API_CLIENT = re.compile(r"(?!.*\btests?\b)[\w.]+\.(?:[A-Z]\w*)(?:Api|API|ApiClient|APIClient|RestClient|HttpClient)\Z")
"""A class of another package that by its name is a client of a service."""

_DEPTH = 3

Through = tuple[tuple[str, int, int, str], ...]
"""The calls that lead somewhere, as (path, start, end, name), outermost first."""


@dataclass(frozen=True)
class Outgoing:
    """A call that talks to the outside, and the calls that lead to it."""

    name: str
    waits: bool
    path: str
    start: int
    end: int
    through: Through = ()


def way(project: Project, found: Outgoing, does: str) -> tuple[Hop, ...]:
    """The hops from a function to a call that it leads to; `does` says what that call does."""
    through = (project.hop(path, start, end, f"`{name}` is called here") for path, start, end, name in found.through)
    return (*through, project.hop(found.path, found.start, found.end, f"`{found.name}` {does}"))


def talks(name: str) -> bool:
    """Whether a call of this canonical name talks to the outside."""
    return name in _TALKS or _is_service(name)


def is_mail(name: str) -> bool:
    """Whether a call of this canonical name sends mail with Django."""
    return name in _MAIL


def _is_service(name: str) -> bool:
    found = _SERVICES.match(name)
    return found is not None and (found["last"][0].islower() or _CLIENT.match(found["last"]) is not None)


def outgoing(project: Project, path: str, position: int) -> tuple[Outgoing, ...]:
    """What a function says to the outside, itself and through the functions of the project that it calls, nearest first.

    Methods of local objects are not seen here; what makes the object is.
    """
    empty: tuple[Outgoing, ...] = ()
    return project.memo(("outgoing", path, position), lambda: tuple(_outgoing(project, path, position)), empty)


def followed(
    project: Project, path: str, position: int, words: frozenset[bytes]
) -> Iterator[tuple[str, Call, Symbol, Through]]:
    """The calls of a function and of the functions of the project that it calls, nearest first: the file, the call, what it
    calls, and the calls that lead to it. Files in which none of `words` stands are not looked into.
    """
    waiting: list[tuple[str, int, Through]] = [(path, position, ())]
    seen = {(path, position)}
    while waiting:
        here, at, through = waiting.pop(0)
        facts = project.facts(here)
        body = facts.definitions[at]
        for call in facts.calls:
            if not body.body_start <= call.start < body.end:
                continue
            if not _may_lead(project, here, call, words):
                continue
            symbol = project.resolve(here, call.callee, call.scope)
            yield here, call, symbol, through
            target = symbol.path, symbol.definition
            if len(through) < _DEPTH and target not in seen and _is_function(project, symbol):
                seen.add(target)
                waiting.append((*target, (*through, (here, call.start, call.end, call.callee))))


def leads_to(project: Project, path: str, record: Import, callee: str) -> str | None:
    """The file of the project that an import leads to when `callee` is called through it, at first sight."""
    _, *rest = callee.split(".")
    names = [record.attribute, *rest] if record.attribute else rest
    dotted = (".".join([record.module.rstrip("."), *names[:length]]) for length in range(len(names) - 1, -1, -1))
    if record.module.endswith("."):
        dotted = (f"{record.module}{'.'.join(names[:length])}" for length in range(len(names), -1, -1))
    return next((found for name in dotted if (found := project.module(name, path)) is not None), None)


def _may_lead(project: Project, path: str, call: Call, words: frozenset[bytes]) -> bool:
    """Whether what a call calls stands outside the project, in this file, or in one that is worth looking into."""
    head = call.callee.partition(".")[0]
    imports = (record for record in project.facts(path).imports if record.name == head)
    modules = (leads_to(project, path, record, call.callee) for record in imports)
    return all(module is None or module.endswith("__init__.py") or project.mentions(module, words) for module in modules)


def _is_function(project: Project, symbol: Symbol) -> bool:
    if symbol.state != "internal" or symbol.definition < 0:
        return False
    return project.facts(symbol.path).definitions[symbol.definition].kind == "function"


def _outgoing(project: Project, path: str, position: int) -> Iterator[Outgoing]:
    for here, call, symbol, through in followed(project, path, position, WORDS):
        name = made_name(project, symbol)
        if talks(name) or (symbol.state == "external" and _API_CLIENT.match(name)):
            yield Outgoing(name, _waits(project, here, call, name), here, call.start, call.end, through)


def _waits(project: Project, path: str, call: Call, name: str) -> bool:
    if name in _WAITING_WITHOUT_ARGUMENT:
        return True
    text = project.source(path).text[call.start : call.end]
    return name in WAITING and b"timeout" not in text and b"**" not in text
