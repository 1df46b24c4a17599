"""KEL513: without the sandbox nothing refuses what a replay cannot give back."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof, WorkerProof
from tests.proofs.temporal.signs import differs_on_replay, ends, hangs

CLOCK = {"from temporalio import workflow\n": "from datetime import datetime\n\nfrom temporalio import workflow\n"}
"""Both faces of the example read a clock, which is what the sandbox is there to refuse."""


class NobodyRefusesAClock(TemporalProof):
    """A whole workflow, and a block of one."""

    code = "KEL513"
    claim = "a clock is read, and a replay gets another time without an error; the sandbox refuses it in the first task"
    scenarios = (Scenario("Order", ("order-1",)),)
    harm = differs_on_replay("complete_workflow_execution", "no error was raised")
    clean = hangs("RestrictedWorkflowAccessError")
    rewritten = {
        **CLOCK,
        "order.upper()": "datetime.now().isoformat()",
        "@workflow.defn(sandboxed=False)  # KEL513": "@workflow.defn",
        "with workflow.unsafe.sandbox_unrestricted():  # KEL513": "if order:",
    }


class AWorkerRefusesNothing(WorkerProof):
    """A worker without it, for all its workflows."""

    code = "KEL513"
    claim = "a worker without the sandbox completes a run that reads a clock; one that has it refuses that in the first task"
    example = 2
    scenarios = (Scenario(program="main", start="order", args=("order-1",), seconds=3.0),)
    harm = ends("completed")
    clean = hangs("RestrictedWorkflowAccessError")
    rewritten = {
        **CLOCK,
        "return order\n": "return datetime.now().isoformat()\n",
        "async def main(client: Client) -> None:\n    await Worker(": "def main(client: Client) -> Worker:\n    return Worker(",
        ").run()": ")",
        "        workflow_runner=UnsandboxedWorkflowRunner(),  # KEL513\n": "",
    }
    beside = {
        "client.py": """\
from temporalio.client import Client


async def order(client: Client, order_id: str) -> None:
    await client.start_workflow("Order", order_id, id=order_id, task_queue="orders")
"""
    }
