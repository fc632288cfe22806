"""The manager of the published demonstration of Dynamic-OFA."""

from __future__ import annotations

from collections import deque

from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.view import ManagerView
from socsim.schedulers.options import Options
from socsim.workloads.targets import Target

__all__ = ["LatencyWindow"]


class LatencyWindow(Manager):
    """Down a level where a window's mean time is too long, up one that is not accurate enough.

    It counts inferences since it came to its level. The first `skip` do not matter; of the others it keeps times (from
    first operator to finish) below `outlier`. As soon as it has `window` of them, and their latest `window` have a mean
    above the target, it goes down. Otherwise, once it has more than `window` and the level's Top-1 accuracy is below
    `top1`, it goes up, unless it has just come down from there after it had gone up: then it does not try that again
    before the targets change. The lowest and the highest level are where it ends.

    Parameters
    ----------
    target
        Time that the mean of the window should not exceed, in s or with a unit, where the application's targets give
        no latency.
    top1
        Accuracy in % below which a level is left upwards, where the application's targets give none.
    window
        How many times it averages over.
    skip
        How many inferences after a change of level do not count.
    outlier
        Times from this one on are ignored, in s or with a unit.

    Raises
    ------
    UsageError
        An option outside its rule.

    Notes
    -----
    That the window is full before it is judged, and that only going up is barred where a level is pinned, is how the
    rules are read here; with the former a change takes 40 inferences, and the published trace has 3 s for each at 60
    ms and a gap of 0.6 s.

    References
    ----------
    .. [1] Lou, Xun, Sabet, Bi, Hare and Merrett, "Dynamic-OFA: Runtime DNN Architecture Switching for Performance
       Scaling on Heterogeneous Embedded Platforms", CVPR workshops 2021; the code of its demonstration.
    """

    name = "latency_window"

    def __init__(
        self,
        target: float | str = "60 ms",
        top1: float = 76.0,
        window: int = 20,
        skip: int = 20,
        outlier: float | str = "90 ms",
    ) -> None:
        own = Options("manager", self.name)
        self.target, self.top1 = target, own.percent("top1", top1)
        self.window, self.skip = own.count("window", window, 1), own.count("skip", skip, 0)
        self.outlier = outlier
        self._target_s, self._outlier_s = (
            own.seconds("target", target, endless=True),
            own.seconds("outlier", outlier, endless=True),
        )
        self._seen = self._kept = 0
        self._times: deque[float] = deque(maxlen=window)
        self._before: int | None = None
        self._pinned = False
        self._wanted: Target | None = None

    def next_level(self, view: ManagerView) -> int:
        """The present level or one beside it."""
        if view.target != self._wanted:
            self._wanted, self._pinned = view.target, False
        self._note(view.services[-1])
        step = self._step(view, view.target)
        return self._go(view.level, view.level + step) if step else view.level

    def _note(self, time: float) -> None:
        self._seen += 1
        if self._seen > self.skip and time < self._outlier_s:
            self._kept += 1
            self._times.append(time)

    def _step(self, view: ManagerView, target: Target) -> int:
        """-1 down, 1 up, 0 neither."""
        limit = self._target_s if target.latency is None else target.latency
        floor = self.top1 if target.top1 is None else target.top1
        if self._kept >= self.window and sum(self._times) / self.window > limit:
            return -1 if view.level > view.lowest else 0
        up = self._kept > self.window and view.top1[view.level] < floor
        return 1 if up and view.level < view.highest and not self._pinned else 0

    def _go(self, level: int, to: int) -> int:
        """Leave a level, with everything counted anew; remember the one before."""
        self._pinned = to < level and self._before == to
        self._before = level
        self._seen = self._kept = 0
        self._times.clear()
        return to
