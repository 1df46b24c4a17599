"""Proofs that need no more than a call and what comes of it: one function of the project, one worker, and the effects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.proofs.celery_stage import CeleryStage, PublishStage
from tests.proofs.harness import PATIENCE, Process, Proof, ProofFailure, Stage, wait_until
from tests.proofs.projects import CELERY, DJANGO

FENCE = "fence"
_LOGGED = {
    r"raised unexpected: (\w+)": "worker raised {}",
    r"(Received) unregistered task": "worker knows no such task",
    r"(Discarding) revoked task": "worker discarded a task",
    r"ContentDisallowed: (Refusing)": "worker refused a message",
}


class Told(Proof[CeleryStage]):
    """A claim that is told by effects alone: `harm` of the bad face, `clean` of the good one, in any order.

    `act()` of the project's `shop/orders.py` is called once. What it raises and what the worker logs are effects too
    (`act raised TypeError`, `worker raised TypeError`, `worker knows no such task`), and so is the state of a result that it
    returns (`result SUCCESS`). `files` join Celery's bare project, or Django's where there are models. That something does not
    come is known when a task has run that was published later, to the same worker with one process.
    """

    stage: type[CeleryStage] = CeleryStage
    files: ClassVar[Mapping[str, str]]
    harm: ClassVar[tuple[str, ...]]
    clean: ClassVar[tuple[str, ...]]
    pool: ClassVar[str] = "solo"

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "files" in vars(cls):
            cls.project = {**(DJANGO if "shop/models.py" in cls.files else CELERY), **cls.files}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        if "shop/models.py" in self.project:
            stage.set_up_django()
        worker = stage.start_worker(pool=self.pool)
        result = _act(stage)
        wanted = self.harm if stage.face == "bad" else self.clean
        wait_until(lambda: _holds([*stage.seen(), *_logged(worker)], wanted), PATIENCE)
        stage.load("fence").passed.delay()
        if not stage.wait_for(FENCE):
            raise ProofFailure("the worker runs nothing any more")
        for effect in _logged(worker):
            stage.happened(effect)
        if result is not None:
            result.get(timeout=PATIENCE, propagate=False)
            stage.happened("result", result.state)

    def is_harm(self, seen: list[str]) -> bool:
        return _same(seen, self.harm)

    def is_clean(self, seen: list[str]) -> bool:
        return _same(seen, self.clean)


class ToldAtTheCall(Proof[PublishStage]):
    """The same without a worker: the call raises `raises` in the bad face, and publishes `messages` in the good one."""

    stage = PublishStage
    files: ClassVar[Mapping[str, str]]
    raises: ClassVar[str]
    messages: ClassVar[int] = 1

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.project = {**(DJANGO if "shop/models.py" in cls.files else CELERY), **cls.files}

    def play(self, stage: PublishStage) -> None:
        stage.start_broker()
        if "shop/models.py" in self.project:
            stage.set_up_django()
        _act(stage)
        stage.happened("messages:", len(stage.waiting()))

    def is_harm(self, seen: list[str]) -> bool:
        return seen == [f"act raised {self.raises}", "messages: 0"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == [f"messages: {self.messages}"]


def _act(stage: Stage) -> Any:
    """Do what the project does, and note what it raises; returns the result of a task, if there is one."""
    try:
        returned = stage.load("shop.orders").act()
    except Exception as error:
        stage.happened("act raised", type(error).__name__)
        return None
    return returned if hasattr(returned, "state") else None


def _logged(worker: Process) -> list[str]:
    """What the worker's log says of tasks that went wrong."""
    text = worker.text()
    return [effect.format(match) for pattern, effect in _LOGGED.items() for match in re.findall(pattern, text)]


def _holds(seen: list[str], wanted: tuple[str, ...]) -> bool:
    """Whether all that is wanted has been seen; what becomes of the result is seen later."""
    return not Counter(one for one in wanted if not one.startswith("result ")) - Counter(seen)


def _same(seen: list[str], wanted: tuple[str, ...]) -> bool:
    return sorted(one for one in seen if one != FENCE) == sorted(wanted)
