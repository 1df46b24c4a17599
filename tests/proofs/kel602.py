"""KEL602: the default is to go on for ever."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import healthy, warns


class ChargeIsTriedForEver(TemporalProof):
    """Without a policy."""

    code = "KEL602"
    claim = "an activity that never works is tried sixty times within two hours, and goes on; with a limit the run fails"
    lines = ('"charge"',)
    scenarios = (Scenario("Order", ("order-1",), acts={"charge": Act(failures=-1)}),)
    harm = warns("charge was tried 60 times")
    clean = healthy("failed")
    shortened = {"timedelta(days=1)": "timedelta(hours=1)"}
    on_server = False  # sixty attempts take hours of its clock


class ShipIsTriedForEver(TemporalProof):
    """With a policy that says nothing of an end."""

    code = "KEL602"
    claim = "a retry policy without `maximum_attempts` does not end the attempts either"
    lines = ("execute_activity(  #",)
    scenarios = (Scenario("Order", ("order-1",), acts={"ship": Act(failures=-1)}),)
    harm = warns("ship was tried 60 times")
    clean = healthy("failed")
    shortened = {"timedelta(days=1)": "timedelta(hours=1)"}
    on_server = False
