"""KEL704: what an activity raises arrives as the cause of an ActivityError."""

from __future__ import annotations

from tests.proofs.temporal.observation import Act, Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import fails

REFUSED = {"charge": Act(failures=-1, error="Refused", final=True)}
LOST = {"ship": Act(failures=-1, error="NoStock", final=True)}


REPAIR = {
    "import ApplicationError, ChildWorkflowError": "import ActivityError, ApplicationError, ChildWorkflowError",
    "except NoStock:  # KEL704\n"
    '            workflow.logger.warning("no stock")\n'
    "        except ChildWorkflowError as error:  # KEL704": "except ActivityError as error:",
}


class TheHandlerIsDead(TemporalProof):
    """The wrapper's cause instead of the wrapper."""

    code = "KEL704"
    claim = "a handler for `ApplicationError` never matches, and the workflow fails"
    lines = ("except ApplicationError",)
    scenarios = (Scenario("Order", ("order-1",), acts=REFUSED),)
    harm = fails("Activity task failed", "charge does not work")
    rewritten = REPAIR


class TheOtherHandlersAreDead(TemporalProof):
    """The activity's own exception, and the wrapper of a child workflow."""

    code = "KEL704"
    claim = "handlers for the activity's own class and for `ChildWorkflowError` never match, and the workflow fails"
    lines = ("except NoStock", "except ChildWorkflowError")
    scenarios = (Scenario("Order", ("order-1",), acts=LOST),)
    harm = fails("Activity task failed", "ship does not work")
    rewritten = REPAIR
