"""KEL201: a second run of the task charges a second time, after a retry and after a lost worker."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY

CHARGED = "charged ann 40 eur"
SENT = "mail sent to ann"


class RetryChargesTwice(Proof[CeleryStage]):
    """The money has moved, then the mail server refuses, and the retry begins at the top."""

    code = "KEL201"
    claim = "a retry after a refused mail charges the customer a second time, and the task is a `SUCCESS`"
    stage = CeleryStage
    environment = {"MAIL": "refuses"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
import mailserver
import stripe
from celery import shared_task


@shared_task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
def charge_order(self, customer, amount):
    stripe.Charge.create(customer=customer, amount=amount, currency="eur")  # KEL201
    mailserver.send(customer)
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker()
        result = stage.load("shop.tasks").charge_order.delay("ann", 40)
        stage.wait_for(SENT)
        result.get(timeout=20)
        stage.happened(result.state)

    def is_harm(self, seen: list[str]) -> bool:
        return seen.count(CHARGED) == 2 and seen[-2:] == [SENT, "SUCCESS"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen.count(CHARGED) == 1 and seen[-2:] == [SENT, "SUCCESS"]


class RedeliveryChargesTwice(Proof[CeleryStage]):
    """The worker is killed behind the charge, and another one gets the message.

    A worker may die holding the lock under which lost messages are looked for; that lock lasts five minutes where it is not
    told.
    """

    code = "KEL201"
    claim = "with `acks_late`, a worker that is killed after the charge leaves the message to another, which charges again"
    stage = CeleryStage
    environment = {"MAIL": "hangs"}
    project = {
        **CELERY,
        "shop/tasks.py": """\
import mailserver
import stripe
from celery import shared_task


@shared_task(acks_late=True)
def charge_order(customer, amount, payment_id):
    stripe.Charge.create(customer=customer, amount=amount, currency="eur")  # KEL201
    mailserver.send(customer)
""",
        "shop/app.py": f"""{CELERY["shop/app.py"]}
app.conf.broker_transport_options = {{
    "visibility_timeout": 0.5,
    "unacked_mutex_expire": 1,
    "unacked_restore_interval": 0.3,
    "unacked_restore_throttle": 1,
}}
""",
    }

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        worker = stage.start_worker(pool="prefork")
        stage.load("shop.tasks").charge_order.delay("ann", 40, "payment-1")
        stage.wait_for("mail server in trouble")
        stage.kill_worker(worker)
        stage.start_worker(pool="prefork")
        stage.wait_for(SENT)

    def is_harm(self, seen: list[str]) -> bool:
        return seen.count(CHARGED) >= 2 and seen[-1] == SENT

    def is_clean(self, seen: list[str]) -> bool:
        return seen.count(CHARGED) == 1 and seen[-1] == SENT
