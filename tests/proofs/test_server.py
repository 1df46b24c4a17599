"""Judge `server`: what the other judges of Temporal proofs saw is seen on a real server too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proofs.harness import Face, NotHere, lay_out
from tests.proofs.loop import all_proofs, repair
from tests.proofs.temporal.dev_server import served, server
from tests.proofs.temporal.proof import TemporalProof

PROOFS = [proof for proof in all_proofs() if isinstance(proof, TemporalProof) and proof.on_server]


@pytest.mark.parametrize("face", ["bad", "good"])
@pytest.mark.parametrize("proof", PROOFS, ids=[proof.name for proof in PROOFS])
def test_a_real_server_says_the_same(proof: TemporalProof, face: Face, tmp_path: Path) -> None:
    try:
        by = server()
        proof.ask_for_packages()
    except NotHere as reason:
        pytest.skip(f"NOT SHOWN HERE ({reason})")
    lay_out(proof.project, tmp_path / "bad" / "project")
    if face == "good":
        repair(proof, tmp_path / "bad" / "project", tmp_path / "good" / "project")
    lines = [
        proof.line(what, served(project, scenario, by), scenario)
        for what, project, scenario in proof.cases(face, tmp_path / face)
    ]
    assert proof.is_harm(lines) if face == "bad" else proof.is_clean(lines), lines
