"""The judges of Temporal proofs agree with each other, and none calls a run fine that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proofs.harness import NotHere, lay_out
from tests.proofs.temporal import example
from tests.proofs.temporal.dev_server import DevServer, LoopbackFrontend, frontend, served, server
from tests.proofs.temporal.forks import CaseDiedError, first_worker, recorded
from tests.proofs.temporal.observation import Act, Observation, Scenario, Sent
from tests.proofs.temporal.signs import differs_on_replay, hangs, healthy, refused, warns

HEAD = "import asyncio, time, uuid\nfrom datetime import timedelta\nfrom temporalio import activity, workflow\n\n"
BODY = HEAD + "@workflow.defn\nclass Order:\n    @workflow.run\n    async def run(self) -> str:\n        "
EVERYTHING = Scenario(
    "Everything",
    acts={"flaky": Act(failures=2), "hopeless": Act(failures=-1), "quick": Act(returns=1)},
    sent=(Sent(0.05, "signal", "add", (2,)),),
)


@pytest.fixture(params=["replay", "worker", "server"])
def judge(request: pytest.FixtureRequest) -> str:
    """Each judge that is here."""
    try:
        address_of(request.param)
    except NotHere as reason:
        pytest.skip(f"NOT SHOWN HERE ({reason})")
    return str(request.param)


def address_of(judge: str) -> DevServer | LoopbackFrontend | None:
    """What a judge's worker talks to. Raises `NotHere`."""
    return frontend() if judge == "worker" else server() if judge == "server" else None


def judged(judge: str, folder: Path, scenario: Scenario, text: str = "") -> Observation:
    """What a judge sees of a run of a workflow in `text`, else in the example beside."""
    lay_out({"shop.py": text or Path(example.__file__).read_text("utf-8")}, folder)
    by = address_of(judge)
    return served(folder, scenario, by) if by is not None else recorded(folder, scenario)


def test_all_judges_see_the_same(judge: str, tmp_path: Path) -> None:
    seen = judged(judge, tmp_path, EVERYTHING)
    assert healthy()(seen), seen
    assert seen.result == 3
    assert [command.split("(")[0].split(" <-")[0] for command in seen.commands if "update" not in command] == [
        "schedule_activity flaky",
        "schedule_local_activity quick",
        "set_patch_marker fees",
        "start_timer 200 ms",
        "schedule_activity hopeless",
        "complete_workflow_execution 3",
    ]
    assert [(run.name, run.attempt, run.error != "") for run in seen.runs] == [
        ("flaky", 1, True),
        ("flaky", 2, True),
        ("flaky", 3, False),
        ("quick", 1, False),
        ("hopeless", 1, True),
    ]
    assert seen.ran("flaky")[0].args == [7]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return str(uuid.uuid4())", "RestrictedWorkflowAccessError"),
        ("raise ValueError('empty')", "ValueError: empty"),
        ("return await workflow.execute_activity('charge')", "Activity must have start_to_close_timeout"),
    ],
)
def test_a_run_that_hangs_is_no_pass(judge: str, tmp_path: Path, code: str, message: str) -> None:
    """A replayer by itself calls such a history, which is still open, fine."""
    seen = judged(judge, tmp_path, Scenario("Order"), BODY + code)
    assert hangs(message)(seen), seen
    assert not healthy()(seen)
    assert not seen.replays


def test_a_deadlock_is_seen(tmp_path: Path) -> None:
    """The worker tells it to its log, and a replayer nothing."""
    seen = judged("replay", tmp_path, Scenario("Order", tries=1, sandbox=False), BODY + "time.sleep(2.5)\n        return ''")
    assert hangs("TMPRL1101")(seen), seen


def test_a_silent_difference_is_seen(judge: str, tmp_path: Path) -> None:
    """Core compares no arguments and no lengths of timers."""
    code = "await asyncio.sleep(time.gmtime().tm_sec % 7 + time.perf_counter() % 1)\n        return ''"
    seen = judged(judge, tmp_path, Scenario("Order", sandbox=False, seconds=15), BODY + code)
    assert differs_on_replay("no error was raised")(seen), seen
    assert not healthy()(seen)


def test_another_hash_seed_is_seen(tmp_path: Path) -> None:
    code = "return ' '.join({'red', 'green', 'blue', 'black', 'white'})"
    seen = judged("replay", tmp_path, Scenario("Order"), BODY + code)
    assert differs_on_replay()(seen), seen
    assert seen.commands == seen.replays[0] == seen.replays[1] != seen.replays[2] == seen.replays[3]


def test_what_core_refuses_is_seen(judge: str, tmp_path: Path) -> None:
    code = (
        "if not workflow.unsafe.is_replaying():\n"
        "            await asyncio.sleep(0.01)\n"
        "        await workflow.execute_activity('a', start_to_close_timeout=timedelta(seconds=1))\n"
        "        return ''"
    )
    seen = judged(judge, tmp_path, Scenario("Order"), BODY + code)
    assert differs_on_replay("Nondeterminism")(seen), seen


def test_code_that_no_worker_takes_is_refused(judge: str, tmp_path: Path) -> None:
    at_import = judged(judge, tmp_path / "a", Scenario("Order"), HEAD + "@workflow.defn\nclass Order: ...")
    assert refused("Missing @workflow.run method")(at_import), at_import
    code = HEAD + "import datetime\nNOW = str(datetime.datetime.now())\n" + BODY.removeprefix(HEAD) + "return NOW"
    at_start = judged(judge, tmp_path / "b", Scenario("Order"), code)
    assert refused("Failed validating workflow")(at_start), at_start


def test_warnings_are_seen(judge: str, tmp_path: Path) -> None:
    code = "asyncio.sleep(1)\n        return ''"
    seen = judged(judge, tmp_path, Scenario("Order"), BODY + code)
    assert warns("never awaited")(seen), seen
    assert not healthy()(seen)


@pytest.mark.parametrize(("name", "result"), [("listens", "ended by CancelledError"), ("is_deaf", "ran to its end")])
def test_only_an_activity_that_heartbeats_can_be_cancelled(name: str, result: str, tmp_path: Path) -> None:
    for judge in ("worker", "server"):
        try:
            seen = judged(judge, tmp_path, Scenario("Cancels", (name,)))
        except NotHere:
            continue
        assert (seen.result, seen.diverged) == (result, "")


def test_queries_and_updates_are_answered(judge: str, tmp_path: Path) -> None:
    if judge == "replay":
        pytest.skip("nobody asks while a history is recorded")
    updates = (Sent(0.1, "update", "put", (-1,)), Sent(0.1, "update", "put", (200,)), Sent(0.1, "update", "put", (7,)))
    sent = (Sent(0.05, "query", "read"), *updates, Sent(0.2, "query", "read"))
    seen = judged(judge, tmp_path, Scenario("Talks", sent=sent))
    assert healthy()(seen), seen
    assert [
        answer.split(": ", 1)[1].removeprefix("WorkflowUpdateFailedError: Workflow update failed <- ")
        for answer in seen.answers
    ] == [
        "0",
        "ValueError: negative",
        "too much",
        "7",
        "7",
    ]


def test_a_case_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    lay_out({"shop.py": "import time\ntime.sleep(60)\n" + BODY + "return ''"}, tmp_path)
    with pytest.raises(CaseDiedError, match="longer than 1 s"):
        first_worker().run("record", tmp_path, Scenario("Order"), deadline=1)
    lay_out({"shop.py": BODY + "return 'after'"}, tmp_path)
    assert recorded(tmp_path, Scenario("Order")).result == "after"
