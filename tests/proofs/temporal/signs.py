"""By what a harm is known: each sign looks at an observation and says in one line what was seen, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.proofs.temporal.observation import Observation, Outcome


@dataclass(frozen=True)
class Sign:
    """A question to an observation. `asks` returns what was seen, and the empty string where it was not."""

    asks: Callable[[Observation], str]

    def __call__(self, seen: Observation) -> str:
        return self.asks(seen)

    def __or__(self, other: Sign) -> Sign:
        return Sign(lambda seen: self(seen) or other(seen))

    def __invert__(self) -> Sign:
        return Sign(lambda seen: "" if self(seen) else "nothing of the harm")

    def __and__(self, other: Sign) -> Sign:
        return Sign(lambda seen: "; ".join(found) if all(found := [self(seen), other(seen)]) else "")


def hangs(*words: str) -> Sign:
    """The workflow task fails at every try, with a message that holds these words: a server would try for ever."""

    def asks(seen: Observation) -> str:
        told = seen.outcome == "task_failed" and all(word in seen.detail for word in words)
        return f"the workflow task fails at every try: {first_line(seen.detail)}" if told else ""

    return Sign(asks)


def ends(outcome: Outcome, result: object = None) -> Sign:
    """The run ends so, with this result where one is given."""

    def asks(seen: Observation) -> str:
        if seen.outcome != outcome or (result is not None and seen.result != result):
            return ""
        return f"the run {outcome.replace('_', ' ')} with {seen.result!r}"

    return Sign(asks)


def fails(*words: str) -> Sign:
    """The run fails, with a message that holds these words."""
    told = "the run failed: {}"
    return Sign(
        lambda seen: (
            told.format(first_line(seen.detail)) if seen.outcome == "failed" and all(w in seen.detail for w in words) else ""
        )
    )


def refused(*words: str) -> Sign:
    """Python, a decorator of the SDK, or the worker's check of the workflow does not accept the code."""

    def asks(seen: Observation) -> str:
        told = seen.outcome == "refused" and all(word in seen.detail for word in words)
        return f"refused: {first_line(seen.detail)}" if told else ""

    return Sign(asks)


def gets_stuck() -> Sign:
    """Nothing is scheduled, and nothing will ever arrive."""
    return Sign(lambda seen: f"stuck: {seen.detail}" if seen.outcome == "stuck" else "")


def waits_for(*words: str) -> Sign:
    """The run waits for an activity of which the server says this."""

    def asks(seen: Observation) -> str:
        found = next((line for line in seen.pending if all(word in line for word in words)), "")
        return f"waits for {first_line(found)}" if found else ""

    return Sign(asks)


def never_begins() -> Sign:
    """Nobody has taken the run's first workflow task."""
    return Sign(lambda seen: "nobody takes its first workflow task" if seen.outcome == "too_long" and seen.events <= 3 else "")


def goes_on() -> Sign:
    """The run is still going when the judge stops looking."""
    return Sign(lambda seen: f"goes on: {seen.detail}" if seen.outcome == "too_long" else "")


def differs_on_replay(*words: str) -> Sign:
    """A replay says something else than the run did, whether core notices or not."""

    def asks(seen: Observation) -> str:
        flapped = next((failure for failure in seen.task_failures if "TMPRL1100" in failure or "Nondeterminism" in failure), "")
        found = seen.diverged or flapped
        return f"not the same on replay: {first_line(found)}" if found and all(word in found for word in words) else ""

    return Sign(asks)


def warns(*words: str) -> Sign:
    """A warning of the SDK, the worker or Python holds these words."""

    def asks(seen: Observation) -> str:
        found = next((line for line in seen.warnings if all(word in line for word in words)), "")
        return f"warned: {first_line(found)}" if found else ""

    return Sign(asks)


def quiet() -> Sign:
    """Nothing was warned of."""
    return Sign(lambda seen: "" if _serious(seen.warnings) else "nothing was warned of")


def runs(activity: str, *, times: int) -> Sign:
    """An activity is executed so often, retries counted."""

    def asks(seen: Observation) -> str:
        return f"`{activity}` ran {times} times" if len(seen.ran(activity)) == times else ""

    return Sign(asks)


def runs_again(activity: str) -> Sign:
    """An activity is executed more than once."""

    def asks(seen: Observation) -> str:
        times = len(seen.ran(activity))
        return f"`{activity}` ran {times} times" if times > 1 else ""

    return Sign(asks)


def calls(function: str, *, more_than: int) -> Sign:
    """A function of the project is called more often than that; the scenario must watch it."""

    def asks(seen: Observation) -> str:
        times = seen.calls.get(function, 0)
        return f"`{function}` was called {times} times" if times > more_than else ""

    return Sign(asks)


def sends(command: str) -> Sign:
    """A command of the run holds these words, such as `start_timer 1000 ms`."""
    return Sign(lambda seen: next((f"sent `{one}`" for one in seen.commands if command in one), ""))


def sends_no(command: str) -> Sign:
    """No command of the run holds these words."""
    return Sign(lambda seen: "" if any(command in one for one in seen.commands) else f"never sent `{command}`")


def prints(words: str, *, more_than: int) -> Sign:
    """The run and its replays have printed these words more often than that."""

    def asks(seen: Observation) -> str:
        times = sum(words in line for line in seen.printed)
        return f"printed {times} times by one run and its replays: {words}" if times > more_than else ""

    return Sign(asks)


def answers(*words: str) -> Sign:
    """A query or an update is answered with these words."""

    def asks(seen: Observation) -> str:
        found = next((line for line in seen.answers if all(word in line for word in words)), "")
        return f"answered: {first_line(found)}" if found else ""

    return Sign(asks)


def healthy(outcome: Outcome = "completed") -> Sign:
    """The run ends, no workflow task failed on the way, nothing was warned of, and its replays say the same."""

    def asks(seen: Observation) -> str:
        flaws = [*seen.task_failures, seen.diverged, *_serious(seen.warnings)]
        if seen.outcome != outcome or any(flaws):
            return ""
        replayed = f", the same on {len(seen.replays)} replays" if seen.replays else ""
        return f"{outcome.replace('_', ' ')}{replayed}"

    return Sign(asks)


def _serious(warnings: list[str]) -> list[str]:
    """Without what this judge's own way of playing local activities logs, and retries of activities, which are ordinary."""
    ordinary = ("WaitsForLocalActivityError", "ApplicationError", "Completing activity as failed")
    return [line for line in warnings if not line.startswith(ordinary)]


def first_line(text: str) -> str:
    """The first line of a text, kept short."""
    line = text.strip().split("\n")[0]
    return line if len(line) <= 240 else f"{line[:240]}..."
