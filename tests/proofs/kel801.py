"""KEL801: the identifier of a workflow is what keeps it from being started twice."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import WorkerProof
from tests.proofs.temporal.signs import ends


class TwoOrders(WorkerProof):
    """A customer's two clicks; an activity stands for the web server that gets them."""

    code = "KEL801"
    claim = "one order that is sent twice starts two workflows; under a name of its own the second start is refused"
    scenarios = (Scenario("Customer"),)
    harm = ends("completed", 2)
    clean = ends("completed", 1)
    unshown = {"execute_workflow": "its caller waits for a workflow that has no worker here"}
    rewritten = {
        'id=f"order-{uuid.uuid4()}", task_queue="orders")  # KEL801': 'id=f"order-{order_id}", task_queue="orders")',
        '    workflow_id = str(uuid.uuid4())\n    await client.execute_workflow("Order", order_id, id=workflow_id, '
        'task_queue="orders")  # KEL801': (
            '    await client.execute_workflow("Order", order_id, id=order_id, task_queue="orders")'
        ),
    }
    beside = {
        "customers.py": """\
from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Customer:
    @workflow.run
    async def run(self) -> int:
        order_id = workflow.info().run_id
        return await workflow.execute_activity("click_twice", order_id, start_to_close_timeout=timedelta(seconds=10))
""",
        "web.py": """\
from example import order
from temporalio import activity
from temporalio.exceptions import WorkflowAlreadyStartedError


@activity.defn
async def click_twice(order_id: str) -> int:
    started = 0
    for _ in range(2):
        try:
            await order(activity.client(), order_id)
            started += 1
        except WorkflowAlreadyStartedError:
            activity.logger.info("%s is under way", order_id)
    return started
""",
    }
