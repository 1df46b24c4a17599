"""Every rule's proof, played on the real engine, and a proof for every rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keel_lint import proofs
from keel_lint.rule import Registry, RuleInfo
from tests.proofs.loop import all_proofs, close, is_shown

if TYPE_CHECKING:
    from tests.proofs.harness import Proof

OURS = ("keel_lint.itself.", "keel_lint_celery.", "keel_lint_temporal.")
PENDING_IS_ALLOWED = False
"""Whether a rule may still say that its proof is yet to come."""

PROOFS = all_proofs()
RULES = [info for info in Registry.installed().rules.values() if info.module.startswith(OURS)]


@pytest.mark.parametrize("proof", PROOFS, ids=[proof.name for proof in PROOFS])
def test_the_harm_is_shown_and_the_fix_ends_it(proof: Proof[Any], tmp_path: Path) -> None:
    result = close(proof, tmp_path)
    if result.why_not:
        pytest.skip(f"NOT SHOWN HERE ({result.why_not})")
    assert is_shown(result)


@pytest.mark.parametrize("info", RULES, ids=[info.code for info in RULES])
def test_a_rule_names_the_judges_of_its_proofs_or_says_why_there_are_none(info: RuleInfo) -> None:
    judges = sorted({proof.stage.judge for proof in PROOFS if proof.code == info.code})
    if info.proof == "PENDING" and PENDING_IS_ALLOWED and not judges:
        pytest.skip("PENDING: its proof is yet to come")
    stated = [] if info.proof.startswith("none: ") else sorted(info.proof.split(", "))
    assert stated == judges


@pytest.mark.parametrize("proof", PROOFS, ids=[proof.name for proof in PROOFS])
def test_what_a_proof_has_shown_is_recorded(proof: Proof[Any]) -> None:
    """For the rule's page. Where this fails: `python -m tests.proofs.record`, then `python docs/generate.py`."""
    recorded = proofs.records(Registry.installed().rules[proof.code])
    made_by = "hand" if proof.repair else "fix"
    assert (proof.claim, proof.stage.judge, made_by) in {(one.claim, one.judge, one.repaired_by) for one in recorded}
    assert proof.stage.judge in proofs.JUDGES


def test_no_record_outlives_its_proof() -> None:
    recorded = {(info.code, one.claim) for info in RULES for one in proofs.records(info)}
    assert recorded <= {(proof.code, proof.claim) for proof in PROOFS}


def test_claims_are_distinct() -> None:
    assert len({(proof.code, proof.claim) for proof in PROOFS}) == len(PROOFS)


def test_every_proof_is_of_a_rule() -> None:
    assert {proof.code for proof in PROOFS} <= {info.code for info in RULES}
