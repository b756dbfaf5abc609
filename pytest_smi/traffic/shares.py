"""Whether traffic is shared as the weights say: decided by a sequential likelihood-ratio test with stated error bounds.

Each backend of share w (its weight over the sum) is tested on both sides. On one side, let *far* be the share from
which a deviation must be caught and *near* the share up to which one must be forgiven; w, near and far stand in this
order. After n requests of which x went to the backend, two likelihood ratios are evidence:

* L(w) / L(far) speaks for the mesh. While the true share is at *far* or beyond, it is a supermartingale from 1.
* L(far) / L(near) speaks against it. While the true share is at *near* or closer, it is a supermartingale from 1.

Ville's inequality bounds the chance that a non-negative supermartingale from 1 *ever* reaches 1/c by c. Hence:

* PASS needs the first ratio at 1/wrong_pass on every side of every backend. A mesh with any backend at *far* or beyond
  passes with probability at most `wrong_pass`, since one particular ratio would have to cross wrongly.
* FAIL needs the second ratio at 2k/wrong_fail on one side of one of k backends. A mesh with all backends at *near* or
  closer fails with probability at most `wrong_fail`, by the union bound over the 2k sides.

"Ever" is what counts: both bounds hold whatever rule says when to look and when to stop, so one may look after every
request and go on while nothing is decided. What is assumed is that requests are assigned independently with fixed
shares; round robin, which is more regular, passes as well. Several requests that follow one choice (a kept connection
balanced as a whole) break the assumption: count such connections instead.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from math import ceil, inf, lgamma, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Of a small share, deviations by more than this part must be caught, and by less than that part be forgiven: with the
# plain tolerance, a backend of weight 1 that gets nothing would be within 5 points.
_FAR_PART = 0.8
_NEAR_PART = 0.2
_MEAN_ABSOLUTE_NORMAL = 0.8


class Decision(StrEnum):
    """What the counts so far say."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"


class _Ratio(NamedTuple):
    """The logarithm of L(one share) / L(another): what each request of the backend adds, and each of another."""

    hit: float
    miss: float

    @classmethod
    def of(cls, above: float, below: float) -> _Ratio:
        # A share of 0 or 1 admits only one kind of request, the other kind is decided exactly and never comes here.
        hit = log(above / below) if above and below else 0.0
        miss = log((1 - above) / (1 - below)) if above < 1 and below < 1 else 0.0
        return cls(hit, miss)

    def after(self, taken: int, missed: int) -> float:
        return taken * self.hit + missed * self.miss


class _Side(NamedTuple):
    """One side of one backend's share, with the evidence on that side for the mesh and against it."""

    share: float
    for_mesh: _Ratio
    against_mesh: _Ratio

    @classmethod
    def at(cls, share: float, near: float, far: float) -> _Side:
        return cls(share, _Ratio.of(share, far), _Ratio.of(far, near))

    def requests_until(self, evidence: float) -> float:
        """About how many requests a mesh that is exactly right needs until `for_mesh` reaches `evidence`.

        Each request adds a divergence d on average, with a standard deviation s; chance holds one side of a backend
        back while it helps the other. Solves n*d - E|Z|*s*sqrt(n) = evidence.
        """
        hit, miss = self.for_mesh
        mean = self.share * hit + (1 - self.share) * miss
        drag = _MEAN_ABSOLUTE_NORMAL * sqrt(self.share * (1 - self.share)) * abs(hit - miss)
        root: float = (drag + sqrt(drag * drag + 4 * mean * evidence)) / (2 * mean)
        return root * root


def _sides(share: float, tolerance: float, slack: float) -> tuple[_Side, ...]:
    sides = []
    for room, away in ((share, -1), (1 - share, 1)):
        if room > 0:
            near, far = min(slack, _NEAR_PART * room), min(tolerance, _FAR_PART * room)
            sides.append(_Side.at(share, share + away * near, share + away * far))
    return tuple(sides)


class SharesTest:
    """The test for one set of weights (see the module's text for the bounds and the reasoning).

    `weights` maps each backend to a ratio, as TrafficSplit has them: only their proportions count. `tolerance` and
    `slack` are shares (0.05 = 5 points): a backend off by `tolerance` must be caught, one off by `slack` must be
    forgiven; both shrink for a share near 0 or 1. `wrong_fail` and `wrong_pass` bound the two errors of the test as a
    whole, at any stopping time. Raises ValueError for weights or bounds that make no sense.

    Weight 0 is exact: one request is proof against it. So is a request to a backend that is not among the weights, or,
    where one backend has all the weight, a request to any other.
    """

    def __init__(
        self,
        weights: Mapping[str, int | float],
        tolerance: float = 0.05,
        slack: float = 0.01,
        wrong_fail: float = 1e-6,
        wrong_pass: float = 1e-6,
    ) -> None:
        total = sum(weights.values())
        if not 0 < total < inf or any(weight < 0 for weight in weights.values()):
            raise ValueError(f"weights {dict(weights)}: give numbers from 0, not all of them 0")
        if not 0 <= slack < tolerance < 1:
            raise ValueError(f"slack {slack} and tolerance {tolerance}: need 0 <= slack < tolerance < 1")
        if not (0 < wrong_fail < 1 and 0 < wrong_pass < 1):
            raise ValueError(f"wrong_fail {wrong_fail} and wrong_pass {wrong_pass} are probabilities between 0 and 1")
        self.shares = {name: weight / total for name, weight in weights.items()}
        self.counts: Counter[str] = Counter()
        self._sides = {name: _sides(share, tolerance, slack) for name, share in self.shares.items()}
        self._to_pass = log(1 / wrong_pass)
        self._to_fail = log(2 * len(self.shares) / wrong_fail)

    def add(self, counts: Mapping[str, int]) -> Decision:
        """Add requests to `self.counts`, by the backend that served them, and decide on all of them so far."""
        self.counts.update(counts)
        return self.decide(self.counts)

    def decide(self, counts: Mapping[str, int]) -> Decision:
        """Decide on these counts alone. The first answer that is not UNDECIDED is the test's verdict: stop there."""
        if any(count < 0 for count in counts.values()):
            raise ValueError(f"counts {dict(counts)}: a count cannot be negative")
        if any(count and not self.shares.get(name) for name, count in counts.items()):
            return Decision.FAIL
        total = sum(counts.values())
        certain = total > 0
        for name, sides in self._sides.items():
            taken = counts.get(name, 0)
            missed = total - taken
            for side in sides:
                if side.against_mesh.after(taken, missed) >= self._to_fail:
                    return Decision.FAIL
                certain = certain and side.for_mesh.after(taken, missed) >= self._to_pass
        return Decision.PASS if certain else Decision.UNDECIDED

    def interval(self, counts: Mapping[str, int], confidence: float = 0.999999) -> dict[str, tuple[float, float]]:
        """For each backend, an interval that holds its true share with this confidence; for messages, not for verdicts.

        A confidence sequence: for each backend it holds at all looks at once, as the test itself does (the mixture of
        all shares against one of them is a supermartingale, too). Without requests it is 0 to 1.
        """
        total = sum(counts.values())
        return {name: _interval(counts.get(name, 0), total, confidence) for name in {**self.shares, **counts}}

    def expected_requests(self) -> int:
        """About how many requests a mesh that is exactly right needs to pass (its mean, or up to half more)."""
        every = (side for sides in self._sides.values() for side in sides)
        return ceil(max(side.requests_until(self._to_pass) for side in every))


def _interval(taken: int, total: int, confidence: float) -> tuple[float, float]:
    if not total:
        return 0.0, 1.0
    mixture = lgamma(taken + 1) + lgamma(total - taken + 1) - lgamma(total + 2)
    limit = log(1 / (1 - confidence))

    def excluded(share: float) -> bool:
        impossible = (share == 0 and taken > 0) or (share == 1 and taken < total)
        likelihood = -inf if impossible else _times_log(taken, share) + _times_log(total - taken, 1 - share)
        return mixture - likelihood >= limit

    observed = taken / total
    return _edge(excluded, 0.0, observed), _edge(excluded, 1.0, observed)


def _times_log(count: int, share: float) -> float:
    return count * log(share) if count else 0.0


def _edge(excluded: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where exclusion ends between a share that may be excluded and one that is not."""
    if not excluded(outside):
        return outside
    for _ in range(50):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside
