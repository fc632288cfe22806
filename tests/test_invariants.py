"""The invariants of a finished run, each broken on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corekit import BUFFER, LIBRARY, Fixed, net, toy

from socsim.errors import SimulationError
from socsim.simulation.framelog import FrameRecord
from socsim.simulation.invariants import check_busy, check_processes, check_spans
from socsim.simulation.processlog import ProcessRecord, SpanRecord
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui


def busy_run(duration: float = 20.5) -> Simulation:
    """A network on the GPU for 20.5 s, 1 frame per s of 1.5 s each, and a competitor."""
    app = Inference(net("a:16 x; b:8 a"), Fixed({"a": BUFFER, "b": BUFFER}), library=LIBRARY, period=7.0)
    screen = Ui(fps=1.0, render=0.2, compose=1.5, traffic=0.0)
    rival = Competitor(threads=2, duty=0.8, period=0.5)
    return Simulation(toy(), [app, screen, rival], duration=duration, kernels=True)


def broken(duration: float = 20.5, **changes) -> Simulation:
    """A finished run whose outcome is tampered with."""
    simulation = busy_run(duration)
    simulation._outcome = replace(simulation.run(), **changes)
    return simulation


def frames(**changes: object) -> list[FrameRecord]:
    """The frames of the run, the first one changed."""
    first, *others = busy_run().run().frames
    return [first._replace(**changes), *others]


def test_a_sound_run_is_valid() -> None:
    broken().validate()
    counts = [r.status for r in busy_run().run().frames]
    assert len(counts) == 21
    assert {"late", "dropped"} <= set(counts)


def test_frames_are_not_lost() -> None:
    with pytest.raises(SimulationError, match="21 frames of 'ui' began but 20 are accounted for: "):
        broken(frames=frames()[1:]).validate()
    with pytest.raises(SimulationError, match="21 frames of 'ui' began but 22 are accounted for: "):
        broken(frames=[*frames(), frames()[0]]).validate()


def test_frames_that_are_not_composed_are_under_way() -> None:
    with pytest.raises(SimulationError, match="frames of 'ui' are neither composed nor dropped but"):
        broken(frames=frames(composed_s=-1.0, status="late")).validate()


@pytest.mark.parametrize(
    "changes",
    [{"begin_s": 1.8}, {"composed_s": 20.6}, {"due_s": 0.0}],
    ids=["composed before it began", "composed after the end", "due before it began"],
)
def test_times_of_frames_are_in_order(changes: dict[str, float]) -> None:
    with pytest.raises(SimulationError, match="frame out of order in time: FrameRecord"):
        broken(frames=frames(**changes)).validate()


def test_a_frame_that_was_not_composed_was_not_presented() -> None:
    own = list(busy_run(19.5).run().frames)
    open_ = next(i for i, r in enumerate(own) if r.composed_s < 0.0 and r.status != "dropped")
    own[open_] = own[open_]._replace(status="presented")
    with pytest.raises(SimulationError, match="frame out of order in time"):
        broken(19.5, frames=own).validate()


def test_no_core_is_busier_than_time_allows() -> None:
    outcome = busy_run().run()
    check_busy(outcome, [20.0, 0.0])
    with pytest.raises(SimulationError, match=r"'core 1' was busy 21\.0 s of 20\.5 s"):
        check_busy(outcome, [20.0, 21.0])


def test_a_core_that_was_busier_is_told_by_the_run() -> None:
    simulation = busy_run()
    simulation.run()
    simulation.executor.cores.queues[0].busy["other"] += 20.5
    with pytest.raises(SimulationError, match="'core 0' was busy"):
        simulation.validate()


def test_processes_use_what_processors_are_busy_for() -> None:
    own = [ProcessRecord("a", "competitor", "a", "cpu", 2.0), ProcessRecord("b", "video", "b", "cpu", 1.0)]
    check_processes(own, {"cpu": 3.0, "gpu": 0.0})
    with pytest.raises(SimulationError, match=r"processes kept 'cpu' busy for 3\.0 s but it was for 2\.5 s"):
        check_processes(own, {"cpu": 2.5})
    with pytest.raises(SimulationError, match="processes kept 'gpu' busy for"):
        broken(processes=tuple(r for r in busy_run().run().processes if r.processor == "cpu")).validate()


def test_a_core_has_one_thread_at_a_time() -> None:
    first, second = SpanRecord("a", "0", 1, 0.0, 2.0, 1.0), SpanRecord("b", "0", 1, 2.0, 3.0, 1.0)
    check_spans([first, second, second._replace(core=2, start_s=2.5)])
    with pytest.raises(SimulationError, match="two threads on a core at once: SpanRecord"):
        check_spans([first, second._replace(start_s=1.5)])
    spans = busy_run().run().spans
    with pytest.raises(SimulationError, match="two threads on a core at once"):
        broken(spans=(spans[0], spans[0], *spans)).validate()
