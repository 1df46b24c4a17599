"""KEL102: a task that is published before the session commits."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import PATIENCE, Proof
from tests.proofs.projects import CELERY

PROJECT = {
    **CELERY,
    "shop/tables.py": """\
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("sqlite:///shop.sqlite3", connect_args={"timeout": 20})


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
""",
    "shop/tasks.py": """\
from celery import shared_task
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session
from world import happened

from shop.tables import Order, engine


@shared_task
def send_receipt(order_id):
    with Session(engine) as session:
        try:
            order = session.scalars(select(Order).where(Order.id == order_id)).one()
        except NoResultFound as error:
            happened(type(error).__name__)
            raise
        happened("receipt", order.number)


@shared_task
def thank(mail):
    happened("thanked", mail)
""",
    "shop/orders.py": """\
from sqlalchemy.orm import Session

from shop.tables import Order
from shop.tasks import send_receipt, thank


def place_order(session: Session, number):
    order = Order(number=number)
    session.add(order)
    session.flush()
    send_receipt.delay(order.id)  # KEL102
    session.commit()


def place_order_and_thank(session: Session, number, mail):
    session.add(Order(number=number))
    thank.delay(mail)  # KEL102
    session.commit()
""",
}


class NoResultFound(Proof[CeleryStage]):
    """The worker is quicker than the commit, which takes as long as the worker needs."""

    code = "KEL102"
    claim = "the task looks for the row before the commit and ends with `NoResultFound`"
    stage = CeleryStage
    project = PROJECT

    def play(self, stage: CeleryStage) -> None:
        from sqlalchemy import event
        from sqlalchemy.orm import Session

        engine = _set_up(stage)
        moment = PATIENCE if stage.face == "bad" else 0.5  # on the good face, a moment in which nothing may come
        with Session(engine) as session:
            event.listen(session, "before_commit", lambda _: stage.watch(bool, moment))
            event.listen(session, "after_commit", lambda _: stage.happened("committed"))
            stage.load("shop.orders").place_order(session, "A-7")
        stage.wait_for("receipt A-7", window=0)

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["NoResultFound", "committed"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["committed", "receipt A-7"]


class RunsAfterRollback(Proof[CeleryStage]):
    """The number is taken, which the commit finds out, and the message has gone."""

    code = "KEL102"
    claim = "the commit ends with `IntegrityError`, and the task runs all the same"
    stage = CeleryStage
    project = PROJECT

    def play(self, stage: CeleryStage) -> None:
        from sqlalchemy.exc import IntegrityError
        from sqlalchemy.orm import Session

        engine = _set_up(stage)
        for number, mail in (("A-7", "ann"), ("A-7", "bob"), ("A-8", "carol")):
            with Session(engine) as session:
                try:
                    stage.load("shop.orders").place_order_and_thank(session, number, mail)
                except IntegrityError as error:
                    stage.happened(type(error).__name__)
        stage.wait_for("thanked carol")

    def is_harm(self, seen: list[str]) -> bool:
        return sorted(seen) == ["IntegrityError", "thanked ann", "thanked bob", "thanked carol"]

    def is_clean(self, seen: list[str]) -> bool:
        return sorted(seen) == ["IntegrityError", "thanked ann", "thanked carol"]


def _set_up(stage: CeleryStage) -> Any:
    """Start what a case needs, with an empty database; returns SQLAlchemy's engine."""
    stage.versions["SQLAlchemy"] = version("sqlalchemy")
    stage.start_broker()
    tables = stage.load("shop.tables")
    tables.Base.metadata.create_all(tables.engine)
    stage.start_worker()
    return tables.engine
