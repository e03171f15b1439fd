# SPDX-License-Identifier: Apache-2.0
"""History: what was asked of the cluster, when, and how it ended. Any thread may add to it."""
import contextlib
import dataclasses
import threading
import time

OK, FAILED, UNREACHABLE, HUNG = "ok", "failed", "unreachable", "hung"


@dataclasses.dataclass
class Call:
    """`outcome`: ok; failed (an answer with an error); unreachable (nobody there: nothing happened, or the
    connection broke); hung (no answer in the time the engine would wait); None while it is under way."""
    kind: str
    host: str
    volume: str
    start: float
    end: float = None
    outcome: str = None
    error: str = ""
    detail: object = None

    @property
    def ok(self):
        return self.outcome == OK

    def finish(self, outcome, error=""):
        self.end, self.outcome, self.error = time.monotonic(), outcome, error
        return self

    def overlaps(self, start, end):
        return self.start < end and (self.end is None or self.end > start)

    def __str__(self):
        took = f"{self.end - self.start:.2f} s" if self.end else "under way"
        return f"{self.start:.2f} {self.kind} {self.volume} on {self.host}: {self.outcome} ({took}) {self.error}"


@dataclasses.dataclass
class Hold:
    """A host's use of a volume as its user sees it: from the answer to the mount until just before the unmount."""
    host: str
    volume: str
    start: float
    end: float = None


class History:
    def __init__(self):
        self._lock = threading.Lock()
        self._calls, self._holds, self._faults = [], [], []

    def begin(self, kind, host, volume=""):
        call = Call(kind, host, volume, time.monotonic())
        with self._lock:
            self._calls.append(call)
        return call

    def hold(self, host, volume):
        hold = Hold(host, volume, time.monotonic())
        with self._lock:
            self._holds.append(hold)
        return hold

    @contextlib.contextmanager
    def fault(self, name):
        """The time in which something is broken."""
        call = Call("fault", name, "", time.monotonic())
        with self._lock:
            self._faults.append(call)
        try:
            yield call
        finally:
            call.finish(OK)

    def calls(self, kind=None):
        with self._lock:
            return [call for call in self._calls if kind in (None, call.kind)]

    def holds(self):
        with self._lock:
            return list(self._holds)

    def faults(self):
        with self._lock:
            return list(self._faults)

    def report(self, since=0.0):
        """Per kind and outcome: how many calls, the longest, and one of the errors. For people."""
        groups = {}
        for call in self.calls():
            if call.start >= since:
                groups.setdefault((call.kind, str(call.outcome)), []).append(call)
        return "\n".join(f"{kind} {outcome}: {len(calls)}, longest {max((c.end or c.start) - c.start for c in calls):.1f} s"
                         f" {max(calls, key=lambda c: (c.end or c.start) - c.start).error[:200]}"
                         for (kind, outcome), calls in sorted(groups.items()))
