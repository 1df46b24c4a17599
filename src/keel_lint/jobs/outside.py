"""Talking to the outside: HTTP, mail servers, cloud services and sockets, by the canonical names of the calls.

`waits` says that a call without a timeout waits for ever; the others give up by themselves after a while. Sources: for requests
https://requests.readthedocs.io/en/latest/user/advanced/#timeouts, for the standard library
https://docs.python.org/3/library/socket.html#socket.getdefaulttimeout, for the services the documentation of each client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keel_lint.index.tables import Calls, Names
from keel_lint.jobs.instances import held_name, made_name
from keel_lint.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

WAITING_NAMES = frozenset(name.rpartition(".")[2] for name in WAITING)
"""The last parts of their names."""

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
_MAY_WAIT = WAITING | _WAITING_WITHOUT_ARGUMENT | _SESSIONS
_TALKS = _MAY_WAIT | _MAIL
_SERVICES = re.compile(
    r"(?:aiohttp\.ClientSession|aioboto3|algoliasearch|anthropic|azure|boto|boto3|botocore|elasticsearch|github|gitlab"
    r"|google\.cloud|googleapiclient|hubspot|httpx|mailchimp_marketing|mailjet_rest|openai|opensearchpy|postmarker|pusher"
    r"|sendgrid|shopify|slack_sdk|stripe|twilio\.rest)\.(?!_?types\.|errors?\.|exceptions\.)(?:[\w.]+\.)?(?P<last>\w+)\Z"
)
_CLIENT = re.compile(r"(?:Async)?(?:\w*Client|Session|OpenAI|Anthropic|Elasticsearch|OpenSearch|Github|Gitlab)\Z")
WORDS = frozenset(
    word.encode()
    for word in (
        "aioboto3", "aiohttp", "algoliasearch", "anthropic", "azure", "boto", "core.mail", "django.core import",
        "elasticsearch", "ftplib", "github", "gitlab", "google.cloud", "googleapiclient", "http import client",
        "http.client", "httpx", "hubspot", "imaplib", "mailchimp_marketing", "mailjet_rest", "openai", "opensearchpy",
        "paramiko", "poplib", "postmarker", "pusher", "requests", "sendgrid", "shopify", "slack_sdk", "smtplib", "socket",
        "stripe", "telnetlib", "twilio", "urllib import", "urllib.request", "urllib3", "xmlrpc",
    )
)  # fmt: skip
"""One of these stands in an import of every file that talks to the outside."""

_API_CLIENT = re.compile(r"(?!.*\btests?\b)[\w.]+\.(?:[A-Z]\w*)(?:Api|API|ApiClient|APIClient|RestClient|HttpClient)\Z")
"""A class of another package that by its name is a client of a service."""

_IMPORTS = re.compile(
    rb"(?m)(?:^|\r|\xef\xbb\xbf)[ \t]*from[ \t]+(?P<package>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n(]*)"
)
_FUNCTION = re.compile(rb"(?<![\w.])[a-z_]\w*")
_DEPTH = 3

Through = tuple[tuple[str, int, int, str], ...]
"""The calls that lead somewhere, as (path, start, end, name), outermost first."""


class Outgoing(Record, frozen=True):
    """A call that talks to the outside, and the calls that lead to it."""

    name: str
    waits: bool
    path: str
    start: int
    end: int
    through: Through = ()


def way(project: Project, found: Outgoing, does: str) -> tuple[Hop, ...]:
    """The hops from a function to a call that it leads to; `does` says what that call does."""
    return (*calls_on(project, found.through), project.hop(found.path, found.start, found.end, f"`{found.name}` {does}"))


def calls_on(project: Project, through: Iterable[tuple[str, int, int, str]]) -> tuple[Hop, ...]:
    """The hops of calls that lead somewhere, as in `Through`."""
    return tuple(project.hop(path, start, end, f"`{name}` is called here") for path, start, end, name in through)


def talks(name: str) -> bool:
    """Whether a call of this canonical name talks to the outside."""
    return name in _TALKS or _is_service(name)


def may_wait(name: str) -> bool:
    """Whether a call of this canonical name waits for ever unless it is told otherwise, or makes what does."""
    return name in _MAY_WAIT


def is_mail(name: str) -> bool:
    """Whether a call of this canonical name sends mail with Django."""
    return name in _MAIL


def _is_service(name: str) -> bool:
    found = _SERVICES.match(name)
    return found is not None and (found["last"][0].islower() or _CLIENT.match(found["last"]) is not None)


def outgoing(project: Project, path: str, position: int) -> tuple[Outgoing, ...]:
    """What a function says to the outside, itself and through the functions of the project that it calls, nearest first.

    Of the methods of local objects only those are seen that wait for ever; what makes the object is seen too.
    """
    empty: tuple[Outgoing, ...] = ()
    return project.memo(("outgoing", path, position), lambda: tuple(_outgoing(project, path, position)), empty)


def followed(
    project: Project, path: str, position: int, words: frozenset[bytes]
) -> Iterator[tuple[str, Call, Symbol, Through]]:
    """The calls of a function and of the functions of the project that it calls, nearest first: the file, the call, what it
    calls, and the calls that lead to it. Files that import nothing in which one of `words` stands are not looked into.
    """
    waiting: list[tuple[str, int, Through]] = [(path, position, ())]
    seen = {(path, position)}
    while waiting:
        here, at, through = waiting.pop(0)
        facts = project.facts(here)
        body = facts.definitions[at]
        for call in Calls.of(facts).within(body.body_start, body.end):
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
    """Whether what a call calls stands outside the project, in this file, or in one that is worth looking into.

    A query asks the database, and what is made of a class of the project is no call to the outside by itself.
    """
    head = call.callee.partition(".")[0]
    if ".objects." in call.callee:
        return False
    imports = Names.of(project.facts(path)).imported.get(head, ())
    modules = (leads_to(project, path, record, call.callee) for record in imports)
    is_made = call.callee.rpartition(".")[2][:1].isupper()
    return all(module is None or (not is_made and _is_worth_it(project, module, words)) for module in modules)


def _is_worth_it(project: Project, module: str, words: frozenset[bytes]) -> bool:
    """Whether a file is a package, imports one of the words, or takes a function from one that does."""
    if module.endswith("__init__.py") or project.imports(module, words):
        return True
    key = ("takes from such", module, words)
    return project.memo(key, lambda: any(project.imports(one, words) for one in _taken_from(project, module)), recursive=False)


def _taken_from(project: Project, path: str) -> Iterator[str]:
    """The files from which a file imports what is no class, at first sight."""
    for found in _IMPORTS.finditer(project.import_lines(path)):
        package = found["package"].decode()
        for name in _FUNCTION.findall(found["names"]):
            taken = project.module(f"{package}.{name.decode()}", path) or project.module(package, path)
            if taken is not None:
                yield taken


def _is_function(project: Project, symbol: Symbol) -> bool:
    if symbol.state != "internal" or symbol.definition < 0:
        return False
    return project.facts(symbol.path).definitions[symbol.definition].kind == "function"


def _outgoing(project: Project, path: str, position: int) -> Iterator[Outgoing]:
    for here, call, symbol, through in followed(project, path, position, WORDS):
        name = _name(project, here, call, symbol)
        if name and (not through or not _goes_by_type(project, here, call)):
            yield Outgoing(name, _waits(project, here, call, name), here, call.start, call.end, through)


def _name(project: Project, path: str, call: Call, symbol: Symbol) -> str:
    """The canonical name of a call that talks to the outside; empty for another."""
    if symbol.state == "local":
        _, dot, method = call.callee.rpartition(".")
        held = held_name(project, path, call) if dot and method in WAITING_NAMES else ""
        return held if held in WAITING and not _has_adapter(project, path, call) else ""
    name = made_name(project, symbol)
    return name if talks(name) or (symbol.state == "external" and _API_CLIENT.match(name)) else ""


def _goes_by_type(project: Project, path: str, call: Call) -> bool:
    """Whether the function round a call first asks for the class of what it is given: not every caller gets to the call."""
    body = project.facts(path).definitions[call.scope]
    return b"isinstance(" in project.source(path).text[body.body_start : call.start]


def _waits(project: Project, path: str, call: Call, name: str) -> bool:
    if name in _WAITING_WITHOUT_ARGUMENT:
        return True
    text = project.source(path).text[call.start : call.end]
    return name in WAITING and b"timeout" not in text and b"**" not in text


def _has_adapter(project: Project, path: str, call: Call) -> bool:
    """Whether a session is given an adapter, which may have a timeout, in the function that makes the call."""
    here = project.facts(path).definitions[call.scope]
    mounted = f"{call.callee.partition('.')[0]}.mount(".encode()
    return mounted in project.source(path).text[here.start : here.end]
