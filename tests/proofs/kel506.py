"""KEL506: a workflow's event loop has no threads, and the sandbox refuses to start any."""

from __future__ import annotations

from tests.proofs.temporal.observation import Scenario
from tests.proofs.temporal.proof import TemporalProof
from tests.proofs.temporal.signs import hangs


class TheTaskFails(TemporalProof):
    """By the event loop or by the sandbox."""

    code = "KEL506"
    claim = "the event loop raises `NotImplementedError`, or the sandbox refuses the thread; the workflow task fails for ever"
    scenarios = (Scenario("Thumbnails", (["a", "b", "c"],)),)
    harm = hangs("NotImplementedError") | hangs("RestrictedWorkflowAccessError")
    rewritten = {
        "await asyncio.to_thread(resize, names[0])  # KEL506": "resize(names[0])",
        "await loop.run_in_executor(None, resize, names[1])  # KEL506": "resize(names[1])",
        "threading.Thread(target=resize, args=names[2:]).start()  # KEL506": "resize(names[2])",
        "with ThreadPoolExecutor() as pool:  # KEL506\n            pool.map(resize, names)": "list(map(resize, names))",
    }
