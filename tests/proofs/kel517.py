"""KEL517: a client in a workflow never gets its connection."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import gets_stuck


class NeverConnects(TemporalProof):
    """No error, no command."""

    code = "KEL517"
    claim = "`Client.connect()` never comes back: the run gives no command and waits for ever"
    scenarios = (Scenario("Parent", ("order-1",)),)
    harm = gets_stuck()
    together = True
    rewritten = {
        'client = await Client.connect("localhost:7233")  # KEL517': "limit = None",
        'await client.start_workflow("Child", name, id=name, task_queue="children")  # KEL517': (
            'await workflow.execute_child_workflow("Child", name, id=name, run_timeout=limit)'
        ),
    }
    on_server = False  # nobody works for the child
