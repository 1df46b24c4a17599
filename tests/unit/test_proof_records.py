"""Records of proofs: written beside the rules, read back, and said on the rule's page."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from keel_lint import proofs
from keel_lint.pages import page
from keel_lint.proofs import Record
from keel_lint.rule import RuleInfo

SHOWN = Record("it burns", "celery", {"Python": "3.11", "Celery": "5.7"}, "HARM SHOWN", "CLEAN", "fix", 1.25)
NOT_SHOWN = msgspec.structs.replace(SHOWN, bad=proofs.NOT_SHOWN, good=proofs.NOT_SHOWN, why_not="no Redis")


def rule(folder: Path, proof: str = "celery") -> RuleInfo:
    """A rule in a pack's folder; its file holds nothing but documentation."""
    file = folder / "abc101_burns.py"
    file.write_text('"""It burns"""\n')
    return RuleInfo(
        code="ABC101", slug="burns", group="correctness", engine="celery", title="It burns", fix=None, status="stable",
        default=None, judges=(), versions="", proof=proof, module="pack.abc101_burns", file=file, changed=0,
    )  # fmt: skip


def test_what_is_written_is_read_and_what_others_wrote_stays(tmp_path: Path) -> None:
    proofs.write(tmp_path, {"ABC102": (NOT_SHOWN,)})
    proofs.write(tmp_path, {"ABC101": (SHOWN,)})
    assert proofs.records(rule(tmp_path)) == (SHOWN,)
    assert (tmp_path / proofs.FILE).read_text().index("ABC101") < (tmp_path / proofs.FILE).read_text().index("ABC102")


@pytest.mark.parametrize("content", [None, b"", b'{"ABC101": [{"claim": 1}]}', b"{"])
def test_records_that_cannot_be_read_say_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / proofs.FILE).write_bytes(content)
    assert proofs.records(rule(tmp_path)) == ()
    assert "## Proof" not in page(rule(tmp_path))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (SHOWN, "- It burns. Seen with real Celery workers, and not with what the fix made of it (Celery 5.7, Python 3.11)."),
        (
            msgspec.structs.replace(SHOWN, repaired_by="hand", judge="somebody"),
            "- It burns. Seen with somebody, and not with the code repaired by hand (Celery 5.7, Python 3.11).",
        ),
        (
            msgspec.structs.replace(SHOWN, shortened={"limit=300": "limit=1"}),
            "- It burns. Seen with real Celery workers, and not with what the fix made of it; `limit=1` in place of "
            "`limit=300` (Celery 5.7, Python 3.11).",
        ),
        (NOT_SHOWN, "- It burns: not shown (no Redis)."),
    ],
    ids=["fix", "hand", "shortened", "not shown"],
)
def test_the_page_says_what_was_seen(tmp_path: Path, record: Record, line: str) -> None:
    proofs.write(tmp_path, {"ABC101": (record,)})
    assert page(rule(tmp_path)).endswith(f"It burns\n\n## Proof\n{line}\n")


def test_the_page_says_why_there_is_none(tmp_path: Path) -> None:
    assert page(rule(tmp_path, "none: it is a matter of taste")).endswith("## Proof\nNone: it is a matter of taste.\n")


def test_what_was_not_shown_counts_for_nothing(tmp_path: Path) -> None:
    proofs.write(tmp_path, {"ABC101": (NOT_SHOWN,)})
    text = proofs.table([rule(tmp_path)])
    assert "0 of 1 rules" in text
    assert "| NOT SHOWN HERE | NOT SHOWN HERE (no Redis) |" in text
    proofs.write(tmp_path, {"ABC101": (NOT_SHOWN, SHOWN)})
    assert "1 of 1 rules" in proofs.table([rule(tmp_path)])


def test_a_rule_without_a_proof_is_listed(tmp_path: Path) -> None:
    assert "yet to be proved" in proofs.table([rule(tmp_path, "PENDING")])
    assert "none: it is a matter of taste" in proofs.table([rule(tmp_path, "none: it is a matter of taste")])
