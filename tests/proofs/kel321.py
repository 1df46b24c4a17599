"""KEL321: parentheses make no tuple."""

from __future__ import annotations

from tests.proofs.celery_stage import CeleryStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY

PROJECT = {
    **CELERY,
    "shop/app.py": f"""{CELERY["shop/app.py"]}
app.conf.beat_schedule = {{
    "thank": {{"task": "shop.tasks.thank", "schedule": 1.0, "args": ("ann",)}},
    "close": {{
        "task": "shop.tasks.close",
        "schedule": 1.0,
        "args": (16),  # KEL321
    }},
}}
""",
    "shop/tasks.py": """\
from celery import shared_task
from world import happened


@shared_task
def thank(name):
    happened("thanked", name)


@shared_task
def close(shop):
    happened("closed", shop)
""",
}


class BeatEndsAtItsStart(Proof[CeleryStage]):
    """A mistake in one entry, and no other is sent either."""

    code = "KEL321"
    claim = (
        "of `\"args\": (16)`, beat ends at its start with `TypeError: 'int' object is not iterable`, and sends no other task"
    )
    stage = CeleryStage
    project = PROJECT

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker()
        beat = stage.start_beat()
        stage.watch(lambda seen: {"thanked ann", "closed 16"} <= set(seen) or not beat.runs())
        if not beat.runs() and "'int' object is not iterable" in beat.text():
            stage.happened("beat has ended")

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["beat has ended"]

    def is_clean(self, seen: list[str]) -> bool:
        return set(seen) == {"thanked ann", "closed 16"}


class LettersAreArguments(Proof[CeleryStage]):
    """A string can be gone through. Beat logs the refusal at each turn."""

    code = "KEL321"
    claim = 'of `"args": ("bob")`, beat makes three arguments, and each turn ends with `SchedulingError`'
    stage = CeleryStage
    project = {**PROJECT, "shop/app.py": PROJECT["shop/app.py"].replace("(16)", '("bob")')}

    def play(self, stage: CeleryStage) -> None:
        stage.start_broker()
        stage.start_worker()
        beat = stage.start_beat()
        refusal = "Couldn't apply scheduled task close: close() takes 1 positional argument but 3 were given"
        stage.watch(lambda seen: "closed bob" in seen or beat.text().count(f"SchedulingError: {refusal}") >= 2)
        if refusal in beat.text():
            stage.happened("SchedulingError")

    def is_harm(self, seen: list[str]) -> bool:
        return "SchedulingError" in seen and "closed bob" not in seen

    def is_clean(self, seen: list[str]) -> bool:
        return "closed bob" in seen and set(seen) <= {"closed bob", "thanked ann"}
