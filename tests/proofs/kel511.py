"""KEL511: hashes of texts and addresses of objects are others in another process."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import differs_on_replay


class AnotherValue(TemporalProof):
    """Two workers, two hash seeds."""

    code = "KEL511"
    claim = "a worker with another hash seed gets another value"
    scenarios = (Scenario("Route", ("ann@example.com",)),)
    harm = differs_on_replay("no error was raised")
    rewritten = {"hash(customer) % 8  # KEL511": "len(customer) % 8", '{id(self)}"  # KEL511': '7"'}


class AnotherValueInAHelper(TemporalProof):
    """The same, a call away."""

    code = "KEL511"
    claim = "a helper's hash is another on a worker with another hash seed"
    example = 2
    scenarios = (Scenario("Route", ("ann@example.com",)),)
    harm = differs_on_replay("no error was raised")
    rewritten = {"shard_of(customer)  # KEL511": "len(customer) % 8"}
