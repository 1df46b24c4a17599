"""KEL318: an hour of a crontab has sixty minutes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from tests.proofs.celery_stage import PublishStage
from tests.proofs.harness import Proof
from tests.proofs.projects import CELERY


class SixtyTimes(Proof[PublishStage]):
    """Beat's own scheduler gets its turn each minute of a day, on a clock that the test moves on."""

    code = "KEL318"
    claim = "in one day, beat publishes the report of seven o'clock 60 times"
    stage = PublishStage
    project = {
        **CELERY,
        "shop/app.py": f"""{CELERY["shop/app.py"]}
from celery.schedules import crontab

app.conf.beat_schedule = {{
    "report": {{"task": "shop.tasks.report", "schedule": crontab(hour=7)}},  # KEL318
}}
""",
        "shop/tasks.py": """\
from celery import shared_task


@shared_task
def report():
    print("report")
""",
    }

    def play(self, stage: PublishStage) -> None:
        from celery.beat import Scheduler

        stage.start_broker()
        app = stage.load("shop").app
        now = datetime(2030, 1, 1, tzinfo=timezone.utc)
        app.now = lambda: now
        beat = Scheduler(app)
        end = now + timedelta(days=1)
        while now < end:
            beat.tick()
            now += timedelta(minutes=1)
        stage.happened("reports:", len(stage.waiting()))

    def is_harm(self, seen: list[str]) -> bool:
        return seen == ["reports: 60"]

    def is_clean(self, seen: list[str]) -> bool:
        return seen == ["reports: 1"]
