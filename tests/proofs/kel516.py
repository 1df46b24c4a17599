"""KEL516: what a workflow logs past its logger, every replay logs again."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import healthy, prints


class EachReplayLogsAgain(TemporalProof):
    """What is printed, and what a logger of the standard library writes."""

    code = "KEL516"
    claim = "each replay writes the line again"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = prints("begin order-1", more_than=1) | prints("order-1 is late", more_than=1)
    clean = healthy() & ~harm
    unshown = {
        "self.log =": "nothing in the example is logged with it",
        "logger.info": "nothing switches its level on",
    }
    rewritten = {'self.log = logging.getLogger("orders")  # KEL516': "self.log = workflow.logger"}
