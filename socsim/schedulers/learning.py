"""The latency predictor that learns while the simulation runs, as Band's does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from socsim.errors import UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Bench, Predictor, settle
from socsim.schedulers.predictors import Spec, check_predictor, make_predictor
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part
from socsim.workloads.pricing import Pricer

__all__ = ["OnlinePredictor"]


class OnlinePredictor(Predictor):
    """An offline prediction times the exponential moving average of observed over offline.

    For each operator, processor, layout, data type and cores the factor starts at 1; what an execution took moves
    it: ``factor = alpha * observed / offline + (1 - alpha) * factor``. For whole operators this is Band's rule, ``new
    = alpha * measured + (1 - alpha) * old``, on times; parts of an operator share its factor. What has not run yet
    on a processor is predicted offline. A subgraph's or network's time is the sum of its operators'.

    Parameters
    ----------
    pricer, bench
        As of :class:`socsim.schedulers.profile.ProfilePredictor`.
    alpha
        Weight of the newest observation, above 0 and at most 1; default 0.1 as Band's.
    base
        The offline predictor; default ``"profile"``.
    path
        A profile to start from; short for a `base` of that path.

    Raises
    ------
    UsageError
        An alpha outside its range, a base that learns itself, or both a base and a path.

    References
    ----------
    .. [1] J. S. Jeong et al., "Band: Coordinated multi-DNN inference on heterogeneous mobile processors",
       MobiSys 2022.
    """

    constant = False

    def __init__(
        self,
        pricer: Pricer,
        bench: Bench | None = None,
        *,
        alpha: float = 0.1,
        base: Spec = "profile",
        path: str | Path = "",
    ) -> None:
        self.alpha, self._pricer = alpha, pricer
        self._base = make_predictor(_checked(alpha, base, path), pricer, bench)
        if not self._base.constant:
            raise UsageError(f"predictor 'online': its base must not learn itself, got {base!r}")
        self.sharing = self._base.sharing
        self._factors: dict[tuple[str, Placement], float] = {}
        self._settled: dict[Placement, Placement] = {}

    @staticmethod
    def verify(alpha: float = 0.1, base: Spec = "profile", path: str | Path = "") -> None:
        """Check options before there is anything to predict for; raises as the class does."""
        check_predictor(_checked(alpha, base, path))

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """The offline time corrected by what was observed, in s."""
        return self._base.time(op, placement, part) * self.factor(op, placement)

    def factor(self, op: Operator, placement: Placement) -> float:
        """Present factor of an operator somewhere; 1 until it has run there."""
        return self._factors.get((op.name, self._settle(placement)), 1.0)

    def observe(self, op: Operator, placement: Placement, part: Part, seconds: float) -> None:
        """Move the factor by one execution."""
        offline = self._base.time(op, placement, part)
        if offline <= 0.0:
            return
        key = (op.name, self._settle(placement))
        old = self._factors.get(key, 1.0)
        self._factors[key] = self.alpha * seconds / offline + (1.0 - self.alpha) * old

    def _settle(self, placement: Placement) -> Placement:
        where = self._settled.get(placement)
        if where is None:
            where = self._settled[placement] = settle(self._pricer, placement)
        return where


def _checked(alpha: Any, base: Spec, path: str | Path) -> Spec:
    """The base that options give."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0.0 < alpha <= 1.0:
        raise UsageError(
            f"predictor 'online': alpha must be above 0 and at most 1, got {alpha!r}; Band's is 0.1"
        )
    if not path:
        return base
    if base != "profile":
        raise UsageError(f"predictor 'online' takes a base or a path, got {base!r} and {str(path)!r}")
    return {"name": "profile", "path": path}
