"""Where the nodes of a LibCST tree stand in the source, and the code that the tree gives back: one writing tells both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from libcst.metadata.span_provider import SpanProvidingCodegenState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from libcst import CSTNode, Module
    from libcst.metadata import CodeSpan


class Spans(ByteSpanPositionProvider):
    """The spans of all nodes of a module, in bytes of its code, without the parentheses and blanks round them."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.code = ""
        # `wrapper.resolve` would walk the whole tree once more, for the visitors that there are none of.
        self.of: Mapping[CSTNode, CodeSpan] = self._gen(MetadataWrapper(module, unsafe_skip_copy=True))  # type: ignore[assignment]

    def _gen_impl(self, module: Module) -> None:
        state = SpanProvidingCodegenState(
            default_indent=module.default_indent, default_newline=module.default_newline, provider=self, get_length=_bytes
        )
        module._codegen(state)
        self.code = "".join(state.tokens)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
