"""Whether code makes sure that something has not been done before it does it: what keeps a second run from doing it again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from keel_lint.definition import descendants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keel_lint.definition import Definition
    from keel_lint.jobs.bindings import Binding, Bindings

_LEAVING = (cst.Return, cst.Raise, cst.Continue, cst.Break)
_CHOSEN = re.compile(
    r"\.(?:a?filter|exclude|where|filter_by|due|pending|unpaid|open|claim\w*|select_for_update)\(|SELECT ", re.IGNORECASE
)
_SAME_EACH_TIME = ("builtins.", "constance.", "datetime.", "django.conf.", "flags.state.", "math.", "os.", "re.", "waffle.")
"""What answers a second run as it did the first: settings and switches too."""
_CLAIMS = re.compile(r"idempot|dedup|\bonce\b|_once|once_|claim|already|ensure_not|assert_not|not_yet|check_not", re.IGNORECASE)
_UNIQUE = re.compile(
    r"idempot|dedup|(?:payment|charge|refund|payout|transfer|transaction|request|operation|task)_id|_key\Z|\Akey\Z"
)
_CREATING = frozenset({"acreate", "add", "create", "insert", "save"})
_REFUSED = re.compile(r"Integrity|Already|Duplicate|Exists|Unique|Conflict|Lock|Claim", re.IGNORECASE)
_NOT_FOUND = re.compile(r"DoesNotExist|NoResultFound|NotFound")
_EXISTENCE = re.compile(
    r"(?:\.a?get|\.filter|\.filter_by|get_object_or_404)\("
    r"\s*(?:\w+,\s*\w+|(?:\w+,\s*)?(?:pk|id|uuid|\w+_id)=[\w.]+)\s*,?\s*\)(?:\.(?:first|one_or_none|one)\(\))?\Z"
)
_BESIDE = re.compile(
    r"is_active|active|enabled|is_enabled|email|phone|name|card|default_\w+|amount|total|balance|price|currency|debug|dry_run|get"
    r"|info|retries|max_retries|request|config|settings|first|count|pk|id|is_empty|is_valid|is_authenticated|user|customer"
)


class Guards:
    """Answers whether something is looked up before a node of a definition is reached."""

    def __init__(self, definition: Definition, bindings: Bindings) -> None:
        self._definition = definition
        self._bindings = bindings

    def guarded(self, node: cst.CSTNode) -> bool:
        """Whether what the code finds decides if the node is reached: a test round it, or one before it that leaves."""
        below = node
        for above in self._definition.ancestors(node):
            if self._decides(above, below):
                return True
            if isinstance(above, (cst.IndentedBlock, cst.Module)):
                before = above.body[: next(index for index, one in enumerate(above.body) if one is below)]
                if self._any_guards(before):
                    return True
            below = above
        return False

    def _decides(self, above: cst.CSTNode, below: cst.CSTNode) -> bool:
        if isinstance(above, (cst.If, cst.While, cst.IfExp)):
            return below is not above.test and self._asks(above.test, leaves=below is not above.body)
        if isinstance(above, cst.For):
            return below is above.body and self._is_chosen(above.iter)
        if isinstance(above, cst.Match):
            return below is not above.subject and self._asks(above.subject, leaves=False)
        if isinstance(above, cst.With):
            return any(_CLAIMS.search(self._definition.code(item.item)) for item in above.items)
        if isinstance(above, cst.FunctionDef):
            return any(_CLAIMS.search(self._definition.code(one.decorator)) for one in above.decorators)
        return False

    def _is_chosen(self, iterable: cst.BaseExpression) -> bool:
        """Whether a loop goes over what is still to be done."""
        texts = [self._definition.code(iterable)]
        if isinstance(iterable, cst.Name):
            texts += [self._definition.code(one.source) for one in self._bindings.reaching(iterable) if one.source is not None]
        return any(_CHOSEN.search(text) for text in texts)

    # -- what stands before -----------------------------------------------------------------------------------------------

    def _any_guards(self, statements: Iterable[cst.CSTNode]) -> bool:
        return any(self._is_guard(statement) for statement in statements)

    def _is_guard(self, statement: cst.CSTNode) -> bool:
        if isinstance(statement, cst.If):
            return _leaves(statement) and (self._asks(statement.test, leaves=True) or self._is_elif_guard(statement))
        if isinstance(statement, cst.With):
            return self._any_guards(statement.body.body)
        if isinstance(statement, cst.Try):
            return self._any_guards(statement.body.body) or any(self._refuses(one, statement) for one in statement.handlers)
        if isinstance(statement, cst.SimpleStatementLine):
            return any(self._is_small_guard(small) for small in statement.body)
        return False

    def _is_elif_guard(self, statement: cst.If) -> bool:
        return isinstance(statement.orelse, cst.If) and self._is_guard(statement.orelse)

    def _refuses(self, handler: cst.ExceptHandler, statement: cst.Try) -> bool:
        """Whether a handler leaves because something has been done, or because nothing is left that is to be done."""
        if not _leaves(handler.body) or handler.type is None:
            return False
        caught = self._definition.code(handler.type)
        if _NOT_FOUND.search(caught):
            return any(len(call.args) > 1 for call in self._definition.find_all(cst.Call, statement.body) if _is_get(call))
        return _REFUSED.search(caught) is not None

    def _is_small_guard(self, small: cst.CSTNode) -> bool:
        if isinstance(small, cst.Assert):
            return self._asks(small.test, leaves=False)
        calls = [node for node in descendants(small) if isinstance(node, cst.Call)]
        return any(_CLAIMS.search(self._definition.code(call.func)) or _creates_unique(call) for call in calls)

    # -- tests ------------------------------------------------------------------------------------------------------------

    def _asks(self, test: cst.CSTNode, *, leaves: bool) -> bool:
        """Whether a test looks something up that can differ in a second run; what the message holds cannot.

        `leaves` says that the code goes no further where the test holds.
        """
        return any(self._is_state(node, leaves) for node in descendants(test))

    def _is_state(self, node: cst.CSTNode, leaves: bool) -> bool:
        if isinstance(node, cst.Call):
            return self._is_lookup(node)
        if isinstance(node, cst.Attribute):
            return not _BESIDE.fullmatch(node.attr.value) and self._is_found(_root(node)) and not self._is_called(node)
        if isinstance(node, cst.Subscript):
            return self._is_found(_root(node))
        if isinstance(node, cst.Name) and not isinstance(self._definition.parent(node), (cst.Attribute, cst.Arg)):
            return self._is_found(node) and not (self._says_absent(node) is leaves and self._is_existence(node))
        return False

    def _is_called(self, node: cst.Attribute) -> bool:
        above = self._definition.parent(node)
        return isinstance(above, cst.Call) and above.func is node

    def _is_lookup(self, call: cst.Call) -> bool:
        name = self._definition.called(call) or ""
        if name.startswith(_SAME_EACH_TIME):
            return False
        root = _root(call.func)
        if isinstance(root, cst.Name) and isinstance(call.func, cst.Attribute) and self._is_parameter(root):
            return False
        last = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
        return not _BESIDE.fullmatch(last)

    def _is_found(self, root: cst.CSTNode) -> bool:
        """Whether a value was found while the task ran: a local variable, or the result of a call."""
        if isinstance(root, cst.Call):
            return True
        if not isinstance(root, cst.Name):
            return False
        bound = (one for one in self._bindings.reaching(root) if not one.is_parameter)
        return any(not self._is_of_message(_source(one)) for one in bound)

    def _is_parameter(self, root: cst.Name) -> bool:
        bound = self._bindings.reaching(root)
        return bool(bound) and all(one.is_parameter for one in bound)

    def _is_of_message(self, source: cst.CSTNode | None) -> bool:
        """Whether a value only depends on what the message holds."""
        if source is None:
            return True
        if any(isinstance(node, cst.Call) for node in descendants(source)):
            return False
        names = [node for node in descendants(source) if isinstance(node, cst.Name)]
        return all(self._is_parameter(node) or not self._bindings.reaching(node) for node in names)

    def _says_absent(self, node: cst.Name) -> bool:
        """Whether a test holds where a name is nothing: `not order`, `order is None`."""
        above = self._definition.parent(node)
        if isinstance(above, cst.UnaryOperation):
            return isinstance(above.operator, cst.Not)
        if isinstance(above, cst.Comparison):
            return isinstance(above.comparisons[0].operator, (cst.Is, cst.Equal))
        return False

    def _is_existence(self, node: cst.Name) -> bool:
        """Whether a name only says that the row with an id is there: it is there in the second run too."""
        sources = [one.source for one in self._bindings.reaching(node) if one.source is not None]
        return bool(sources) and all(_EXISTENCE.search(self._definition.code(source)) for source in sources)


def _source(binding: Binding) -> cst.CSTNode | None:
    """What a name gets its value from; a part of a tuple from the whole."""
    return binding.node.value if isinstance(binding.node, cst.Assign) else binding.source


def _leaves(node: cst.CSTNode) -> bool:
    return any(isinstance(one, _LEAVING) for one in descendants(node))


def _is_get(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value in {"get", "filter", "filter_by", "where", "aget"}


def _creates_unique(call: cst.Call) -> bool:
    last = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
    if last not in _CREATING:
        return False
    return any(isinstance(node, cst.Arg) and node.keyword and _UNIQUE.search(node.keyword.value) for node in descendants(call))


def _root(node: cst.CSTNode) -> cst.CSTNode:
    """The first part of a chain of attributes and subscripts."""
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return node
