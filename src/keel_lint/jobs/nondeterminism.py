"""Functions whose result differs from one run of the same workflow code to the next: clocks and sources of randomness.

`refused` says what Temporal's sandbox does with a call: true where it raises, false where it lets it through, `None` where that
depends on how the module is imported (a third party's module is stopped unless it is passed through).
Sources: `temporalio/worker/workflow_sandbox/_restrictions.py` and https://docs.temporal.io/develop/python/python-sdk-sandbox
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERY_CALL = -1


@dataclass(frozen=True)
class Reading:
    """A function that gives another value each time it is called.

    `fixed_by` is the position of the argument with which it does not (`time.gmtime(seconds)`), `keyword` that argument's name;
    `EVERY_CALL` where no argument helps.
    """

    refused: bool | None
    fixed_by: int = EVERY_CALL
    keyword: str = ""


def _each(names: Iterable[str], reading: Reading) -> dict[str, Reading]:
    return dict.fromkeys(names, reading)


_REFUSED = Reading(refused=True)
_MISSED = Reading(refused=False)
_DEPENDS = Reading(refused=None)

_TIME = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns",
    "thread_time", "thread_time_ns",
)  # fmt: skip

CLOCKS: dict[str, Reading] = {
    **_each((f"datetime.datetime.{name}" for name in ("now", "today", "utcnow")), _REFUSED),
    "datetime.date.today": _REFUSED,
    **_each((f"time.{name}" for name in _TIME), _REFUSED),
    "time.localtime": Reading(refused=True, fixed_by=0),
    **_each((f"time.{name}" for name in ("clock_gettime", "clock_gettime_ns")), _MISSED),
    **_each((f"time.{name}" for name in ("gmtime", "ctime", "asctime")), Reading(refused=False, fixed_by=0)),
    "time.strftime": Reading(refused=False, fixed_by=1),
    "timeit.default_timer": _MISSED,
    "email.utils.localtime": Reading(refused=False, fixed_by=0, keyword="dt"),
    "email.utils.formatdate": Reading(refused=False, fixed_by=0, keyword="timeval"),
    "django.utils.timezone.now": _DEPENDS,
    "django.utils.timezone.localtime": Reading(refused=None, fixed_by=0, keyword="value"),
    "django.utils.timezone.localdate": Reading(refused=None, fixed_by=0, keyword="value"),
    **_each((f"pendulum.{name}" for name in ("now", "today", "tomorrow", "yesterday", "DateTime.now")), _DEPENDS),
    **_each((f"arrow.{name}" for name in ("now", "utcnow", "Arrow.now", "Arrow.utcnow")), _DEPENDS),
    **_each((f"pandas.Timestamp.{name}" for name in ("now", "today", "utcnow")), _DEPENDS),
}
"""Functions that read the clock, by canonical name. The sandbox refuses `time.localtime` with an argument too."""

GENERATOR_METHODS = frozenset({
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random", "randrange", "sample", "shuffle",
    "triangular", "uniform", "vonmisesvariate", "weibullvariate",
})  # fmt: skip
"""What both the module `random` and a generator such as `workflow.random()` can do, but for seeding."""

_SECRETS = ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe", "SystemRandom")
_NUMPY = (
    "beta", "binomial", "bytes", "choice", "exponential", "gamma", "geometric", "lognormal", "normal", "permutation", "poisson",
    "rand", "randint", "randn", "random", "random_integers", "random_sample", "ranf", "sample", "shuffle", "standard_normal",
    "triangular", "uniform",
)  # fmt: skip

RANDOMNESS: dict[str, Reading] = {
    **_each((f"random.{name}" for name in (*sorted(GENERATOR_METHODS), "seed", "getstate", "setstate")), _REFUSED),
    "random.Random": Reading(refused=False, fixed_by=0, keyword="x"),
    "random.SystemRandom": _MISSED,
    **_each((f"secrets.{name}" for name in _SECRETS), _REFUSED),
    **_each((f"uuid.{name}" for name in ("uuid1", "uuid4", "uuid7")), _REFUSED),
    **_each((f"uuid.{name}" for name in ("uuid6", "getnode")), _MISSED),
    "uuid.uuid8": Reading(refused=False, fixed_by=2, keyword="c"),
    "os.urandom": _REFUSED,
    "os.getrandom": _REFUSED,
    **_each((f"ssl.{name}" for name in ("RAND_bytes", "RAND_pseudo_bytes")), _MISSED),
    "email.utils.make_msgid": _MISSED,
    **_each((f"numpy.random.{name}" for name in _NUMPY), _DEPENDS),
    "numpy.random.default_rng": Reading(refused=None, fixed_by=0, keyword="seed"),
    "numpy.random.RandomState": Reading(refused=None, fixed_by=0, keyword="seed"),
    "shortuuid.uuid": Reading(refused=None, fixed_by=0, keyword="name"),
    **_each((f"uuid_utils.{name}" for name in ("uuid1", "uuid4", "uuid6", "uuid7")), _DEPENDS),
    **_each((f"uuid6.{name}" for name in ("uuid6", "uuid7", "uuid8")), _DEPENDS),
}
"""Functions that draw a random value, by canonical name."""
