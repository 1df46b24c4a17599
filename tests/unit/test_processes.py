"""Work that another process does, or shares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keel_lint import processes

FORK = """
import os, sys
from keel_lint.processes import forked
os.sched_getaffinity = lambda _: {0, 1}
print("said once", end="")
parent = os.getpid()
elsewhere = forked(lambda: str(os.getpid() != parent).encode())
fallen = forked(lambda: b"here" if os.getpid() == parent else os._exit(9))
failed = forked(lambda: b"here" if os.getpid() == parent else 1 / 0)
sys.stderr.write(f"{elsewhere()} {fallen()} {failed()}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a bare fork is used on Linux only")
def test_work_in_a_child_is_done_here_where_the_child_fails() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    assert done.stderr == "b'True' b'here' b'here'"
    assert done.stdout == "said once"


def test_without_a_fork_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert processes.forked(lambda: str(os.getpid()).encode())() == str(os.getpid()).encode()


@pytest.mark.parametrize("count", [0, 1, 7, 999, 1000, 1001, 5003])
def test_each_turn_is_taken_once_and_from_both_ends_nothing_is_left_out(count: int) -> None:
    work = list(range(count))
    turns = processes.Turns(count)
    forward, backward = turns.of(work), turns.of(work[::-1])
    front = [next(forward, None) for _ in range(count // 3)]
    back = [item for _, item in backward]
    rest = [item for _, item in forward]
    assert {item for one in front if one is not None for item in one[1:]} | set(back) | set(rest) == set(work)
    assert len(front) + len(back) + len(rest) <= count + 1 + count // 500


def test_turns_are_numbered_over_all_who_take_them() -> None:
    turns = processes.Turns(4)
    first, second = turns.of("abcd"), turns.of("dcba")
    assert [next(first), next(second), next(first), next(second)] == [(0, "a"), (1, "d"), (2, "b"), (3, "c")]
    assert (next(first, None), next(second, None)) == (None, None)


DIES = """
import os, sys
from keel_lint import processes, verdicts
parent = os.getpid()
processes.can_fork = lambda: True
judge = verdicts.Judging._judge_file
verdicts.Judging._judge_file = lambda self, path: judge(self, path) if os.getpid() == parent else os._exit(9)
from keel_lint.cli import main
sys.exit(main(["check", "--isolated", "--no-cache", "--output-format", "concise", *sys.argv[1:]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a bare fork is used on Linux only")
def test_a_process_that_dies_takes_no_verdict_with_it(tmp_path: Path) -> None:
    bad = "from django.db.transaction import on_commit\n\nfrom jobs import t\n\non_commit(t.delay(1))\n"
    (tmp_path / "jobs.py").write_text("from celery import shared_task\n\n\n@shared_task\ndef t(n): pass\n")
    for number in range(60):
        (tmp_path / f"a{number}.py").write_text(bad)
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.count("KEL104") == 60, done
