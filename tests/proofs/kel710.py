"""KEL710: what a query changes is gone when the workflow is rebuilt."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario, Sent
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import answers, differs_on_replay, goes_on

ASKED = tuple(Sent(0.1, "query", "next_event") for _ in range(4))


class ItIsGoneOnReplay(WorkerProof):
    """The change decides over a command."""

    code = "KEL710"
    claim = "the run goes on by what queries have changed, and a replay, which knows nothing of them, fails"
    lines = ("self.asked",)
    scenarios = (Scenario("Order", cached=True, sent=(*ASKED, Sent(0.3, "signal", "poke")), ends="too_long", seconds=1.5),)
    harm = differs_on_replay("Nondeterminism")
    clean = goes_on()
    rewritten = {
        "    @workflow.query\n    def next_event": (  # something that wakes the run up
            "    @workflow.signal\n    def poke(self) -> None: ...\n\n    @workflow.query\n    def next_event"
        ),
        "self.asked += 1  # KEL710": "workflow.logger.info('asked')",
        "self.events.pop(0)  # KEL710": "self.events[0] if self.events else ''",
        'self.note("asked")  # KEL710': "workflow.logger.info('asked')",
    }


class EachAnswerDiffers(WorkerProof):
    """Asking changes the answer, until the worker forgets."""

    code = "KEL710"
    claim = "the same question gets another answer the second time"
    lines = ("self.note",)
    scenarios = (Scenario("Order", cached=True, sent=(Sent(0.1, "query", "events_so_far"),) * 2, ends="too_long", seconds=1.0),)
    harm = answers("events_so_far: ['asked', 'asked']")
    clean = goes_on() & answers("events_so_far: []")
    rewritten = ItIsGoneOnReplay.rewritten
