"""Faults on demand: what a DOI service does on a bad day, drawn with given rates from a seeded generator.

How a fault reaches the client is `app.py`; this module only decides which one comes next and counts.
"""

import random
from collections import Counter, deque
from dataclasses import dataclass, field, fields
from typing import Any, Final

RATE_LIMIT_TITLE: Final = "Your request has been rate limited. See https://support.datacite.org/docs/rate-limit."

KINDS: Final[dict[str, str]] = {
    "rate_limited": "429 before anything is done",
    "rate_limited_403": "403 that says rate limited, as DataCite's stage system answers",
    "error_500": "500 with a JSON body, nothing done",
    "error_502": "502 with an HTML body, nothing done",
    "error_503": "503 with an HTML body, nothing done",
    "error_504": "504 with an HTML body, after the write",
    "conflict": "409 of the unique index, nothing done",
    "timeout": "no answer for `hang_seconds`, then the connection closes; nothing done",
    "timeout_after_write": "the same, but the write is done",
    "reset": "connection reset before anything is done",
    "dropped": "connection reset after the write, instead of the answer",
    "truncated": "half of the answer after the write, then the connection resets",
    "unregistered": "written and findable, but the Handle System did not take it: registered is null",
}
AFTER_WRITE: Final = frozenset({"error_504", "timeout_after_write", "dropped", "truncated"})


@dataclass(frozen=True)
class FaultPlan:
    """Which faults come how often. `rates` maps kinds to probabilities per request, together at most 1."""

    rates: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    methods: tuple[str, ...] = ("PUT", "POST", "PATCH", "DELETE")
    hang_seconds: float = 30.0
    latency_seconds: float = 0.0
    rate_limit: int | None = None  # requests of `methods` per `window_seconds`, answered 429 beyond
    window_seconds: float = 300.0
    index_lag_seconds: float = 0.0  # how long a write stays invisible to listings

    @classmethod
    def parse(cls, value: object) -> "FaultPlan":
        """Return a plan from JSON; ValueError names what is wrong."""
        if not isinstance(value, dict):
            raise ValueError('a fault plan is an object such as {"rates": {"error_500": 0.1}, "seed": 1}')
        known = {item.name for item in fields(cls)}
        if unknown := sorted(value.keys() - known):
            raise ValueError(f"unknown fault setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        plan: dict[str, Any] = dict(value)
        plan["rates"] = _rates(plan.get("rates") or {})
        plan["methods"] = tuple(str(method).upper() for method in plan.get("methods") or cls.methods)
        for name in ("hang_seconds", "latency_seconds", "window_seconds", "index_lag_seconds"):
            if name in plan and (not isinstance(plan[name], int | float) or plan[name] < 0):
                raise ValueError(f"{name} is a number of seconds, not {plan[name]!r}")
        limit = plan.get("rate_limit")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ValueError(f"rate_limit is a number of requests per window, not {limit!r}")
        return cls(**plan)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


class Faults:
    """Draws faults by a plan and counts requests, answers and faults since the last reset."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.set(plan or FaultPlan())
        self.reset()

    def set(self, plan: FaultPlan) -> None:
        """Follow another plan from its seed on."""
        self.plan = plan
        self._random = random.Random(plan.seed)
        self._recent: deque[float] = deque()
        self._kinds = list(plan.rates.items())

    def reset(self) -> None:
        """Start counting anew."""
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.drawn: Counter[str] = Counter()
        self._window: deque[float] = deque()
        self.peak = 0

    def draw(self, method: str, now: float) -> str | None:
        """Count a request at `now` (seconds, monotonic) and return the fault it meets, if any."""
        self.requests[method] += 1
        plan = self.plan
        if method not in plan.methods:
            return None
        self._window.append(now)
        while self._window[0] <= now - plan.window_seconds:
            self._window.popleft()
        self.peak = max(self.peak, len(self._window))
        if plan.rate_limit is not None:
            while self._recent and self._recent[0] <= now - plan.window_seconds:
                self._recent.popleft()
            if len(self._recent) >= plan.rate_limit:
                self.drawn["over_limit"] += 1
                return "rate_limited"
            self._recent.append(now)
        if self._kinds:
            mark = self._random.random()
            for kind, rate in self._kinds:
                mark -= rate
                if mark < 0:
                    self.drawn[kind] += 1
                    return kind
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the counts since the last reset; `peak` is the most requests of the plan's methods in one window."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): n for status, n in self.statuses.items()},
            "faults": dict(self.drawn),
            "peak": {"requests": self.peak, "window_seconds": self.plan.window_seconds},
        }


def _rates(rates: object) -> dict[str, float]:
    if not isinstance(rates, dict):
        raise ValueError("rates maps kinds of faults to probabilities")
    for kind, rate in rates.items():
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known are {', '.join(KINDS)}")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"the rate of {kind} is a probability between 0 and 1, not {rate!r}")
    if sum(rates.values()) > 1 + 1e-9:
        raise ValueError("the rates of all faults together are more than 1")
    return {kind: float(rate) for kind, rate in rates.items()}
