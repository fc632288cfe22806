"""Reuse across frames: each is compared with the one computed last, and skipped, or computed in part or whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from socsim.errors import UsageError
from socsim.schedulers.guard import blamed
from socsim.schedulers.reuse.base import WAYS, ReusePolicy, Way
from socsim.schedulers.reuse.registry import make_reuse
from socsim.simulation.kernelgraph import Entry, KernelGraph, Step, compress
from socsim.simulation.partial import Changed
from socsim.simulation.records import ReuseRecord
from socsim.workloads.apps import Inference
from socsim.workloads.graph import DTYPE_BYTES
from socsim.workloads.lifetimes import Lifetimes
from socsim.workloads.pricing import Pricer

if TYPE_CHECKING:
    from socsim.simulation.executor import Fragment
    from socsim.simulation.stream import Stream

__all__ = ["Reusing", "check_layers", "comparison", "lifetimes_of", "reuse_of", "reuse_records"]


def comparison(pricer: Pricer, passes: float) -> KernelGraph:
    """Two frames read from memory by one worker, at the bandwidth that one core has; the comparing itself is hidden."""
    graph, core = pricer.graph, pricer.team()[0]
    size = sum(graph.tensors[t].elements for t in graph.inputs) * DTYPE_BYTES[pricer.dtype]
    reach = min(pricer.device.cpu_bandwidth, pricer.device.cores[core].bandwidth)
    entry = Entry("kernel", "compare", "cpu", "compare", bytes=2.0 * passes * size, reach=reach)
    return compress([Step("cpu", (entry,), set(), (core,), (1.0,))])


class Reusing:
    """What a stream does with each inference before it computes it, or instead.

    Parameters
    ----------
    stream
        Whose inferences.
    changes
        Share of each frame that differs from the one before, by number of the inference.
    policy
        Who decides.
    in_layers
        Whether the stream can recompute a part of a frame.
    """

    def __init__(
        self, stream: Stream, changes: Iterator[float], policy: ReusePolicy, *, in_layers: bool
    ) -> None:
        self.records: dict[int, ReuseRecord] = {}
        """What became of each inference that began and was not given up, by number."""
        self._stream, self._changes, self._policy, self._in_layers = stream, changes, policy, in_layers
        self._comparison = comparison(stream.pricer, policy.passes)
        self._starts: dict[int, float] = {}
        self._next = 0
        self._kept = 0.0
        """Share of the frame computed last that has not changed since."""
        self._computed: float | None = None
        """Arrival in s of that frame; None before the first."""
        self._skipped = 0
        self._undo: tuple[int, float, float | None, int] = (-1, 0.0, None, 0)

    def begin(self, index: int, arrival: float) -> None:
        """Compare a frame with the one computed last, if there is one, and go on."""
        changed = self._changed(index)
        if self._computed is None or not self._policy.compares:
            self._compute(index, arrival, changed)
            return
        self._starts[index] = float(self._stream.executor.env.now)

        def compared(fragment: Fragment) -> None:
            self._decide(index, arrival, changed)

        self._stream.launch(self._comparison, index, compared, {})

    def _changed(self, index: int) -> float:
        """Share that has changed since the frame computed last: changes from frame to frame are independent."""
        for number in range(self._next, index + 1):
            share = next(self._changes)
            if not 0.0 <= share <= 1.0:
                name = self._stream.name
                raise UsageError(
                    f"the scene of {name!r} must give shares from 0 to 1, got {share!r} for frame {number}"
                )
            self._kept *= 1.0 - share
        self._next = index + 1
        return 1.0 if self._computed is None else 1.0 - self._kept

    def _decide(self, index: int, arrival: float, changed: float) -> None:
        way = self._way(changed)
        if way == "frame" or (way == "layer" and changed <= 0.0):
            self._repeat(index, arrival, changed, way)
        elif way == "layer":
            self._compute(index, arrival, changed, Changed(changed, self._policy))
        else:
            self._compute(index, arrival, changed)

    def _repeat(self, index: int, arrival: float, changed: float, way: Way) -> None:
        """Give the last result again; where nothing has changed it is that of this frame too."""
        name, self._skipped = self._stream.name, self._skipped + 1
        shown = arrival if self._computed is None or changed <= 0.0 else self._computed
        self.records[index] = ReuseRecord(name, index, changed, way, 0.0, changed, shown)
        self._stream.repeat(index, arrival)

    def _way(self, changed: float) -> Way:
        policy, name = self._policy, self._stream.name
        with blamed(policy, "decide", name, "reuse policy"):
            way = policy.decide(changed, self._skipped)
        if way not in WAYS:
            known = ", ".join(map(repr, WAYS))
            raise UsageError(f"reuse policy {policy.title!r} of {name!r} must decide {known}, got {way!r}")
        if way == "layer" and not (self._in_layers and policy.keeps == "layers"):
            raise UsageError(_no_layers(policy, name, self._in_layers))
        return way

    def _compute(self, index: int, arrival: float, changed: float, part: Changed | None = None) -> None:
        stream = self._stream
        self._undo = index, self._kept, self._computed, self._skipped
        self._kept, self._computed, self._skipped = 1.0, arrival, 0
        # The scheduler may drop it at once, so that the record has to be there before.
        record = self.records[index] = ReuseRecord(stream.name, index, changed, "none", 1.0, 0.0, arrival)
        share = stream.accept_part(index, arrival, part)
        if share < 1.0:
            self.records[index] = record._replace(reused="layer", computed=share)

    def started(self, index: int) -> float:
        """When an inference under way began, in s: its comparison, where there was one; -1 before that."""
        return self._starts[index] if index in self._starts else self._stream.started(index)

    def ended(self, index: int, start: float) -> float:
        """An inference whose first operator was placed at `start` s has finished; tells when it began, in s."""
        return self._starts.pop(index, start)

    def gave_up(self, index: int, start: float) -> float:
        """An inference was dropped under way: the frame computed last is the one before; tells when it began, in s."""
        last, kept, computed, skipped = self._undo
        if last == index:
            self._kept, self._computed, self._skipped = self._kept * kept, computed, skipped
        del self.records[index]
        return self._starts.pop(index, start)


def reuse_of(app: Inference) -> ReusePolicy:
    """An application's policy; without one every frame is computed."""
    return make_reuse("none" if app.reuse is None else app.reuse)


def lifetimes_of(app: Inference) -> Lifetimes:
    """When an application gives memory back."""
    policy = reuse_of(app)
    return Lifetimes(app.memory == "release", policy.keeps, policy.copies)


def check_layers(policy: ReusePolicy, app: str, in_layers: bool) -> None:
    """Refuse a policy that reuses feature maps where a stream has none that last."""
    if policy.keeps == "layers" and not in_layers:
        raise UsageError(_no_layers(policy, app, in_layers))


def _no_layers(policy: ReusePolicy, app: str, in_layers: bool) -> str:
    if in_layers:
        return f"reuse policy {policy.title!r} of {app!r} reuses layers and must keep them: keeps = 'layers'"
    return (
        f"reuse policy {policy.title!r} of {app!r} reuses layers, which needs one network and a scheduler that plans, "
        "without a manager; use 'frame' here"
    )


def reuse_records(reusings: Sequence[Reusing | None]) -> tuple[ReuseRecord, ...]:
    """What became of all frames, application by application, in order of beginning."""
    return tuple(record for reusing in reusings if reusing is not None for record in reusing.records.values())
