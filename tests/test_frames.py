"""Videos and user interfaces: what is refused, how they are written, and exact frames; times in ms.

Vsyncs are every 40 ms from 1 ms on, so that nothing else happens at the same instant.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
import yaml
from corekit import BUFFER, LIBRARY, Fixed, net, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from simkit import GB, MS, device
from test_competitors import Rivals

from socsim import Ui, Video, simulate
from socsim.errors import UnitError, UsageError
from socsim.experiments import load_experiment
from socsim.simulation.display import Display
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.frames import FrameApp


class Screen(Rivals):
    """A bench with an application that shows 25 frames per second from 1 ms on."""

    def show(self, kind: type[FrameApp] = Video, **options) -> None:
        usual = {
            "fps": 25.0,
            "decode": 0.0,
            "render": 0.0,
            "compose": 4 * MS,
            "traffic": 0.0,
            "start": 1 * MS,
        }
        self.display = Display(self.executor, kind(**{**usual, **options}), "video")
        self.display.start()

    def frames(self, until: float) -> list[tuple[float, float, str]]:
        """(begin, composed, status) of every frame."""
        self.ms(until)
        return [
            (round(r.begin_s / MS, 6), round(r.composed_s / MS, 6) if r.composed_s >= 0 else -1, r.status)
            for r in self.display.log.records(until * MS)
        ]


# --- refusals, and as written ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0.0}, "fps must be positive, got 0.0"),
        ({"fps": inf}, "fps must be positive"),
        ({"buffers": 0}, "buffers must be a whole number from 1, got 0"),
        ({"buffers": 1.0}, "buffers must be a whole number"),
        ({"compose": 0.0}, "compose must be positive"),
        ({"decode": "-1 ms"}, "decode must not be negative, got '-1 ms'"),
        ({"render": -1.0}, "render must not be negative"),
        ({"traffic": -1.0}, "traffic must not be negative"),
        ({"start": 3.0, "stop": 3.0}, "it must stop later than it starts, got 3.0"),
        ({"nice": -21}, "nice must be a whole number"),
    ],
)
@pytest.mark.parametrize("kind", [Video, Ui])
def test_impossible_frames_are_refused(kind, options, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        kind(**options)
    assert message in str(refused.value)


def test_units_are_checked() -> None:
    with pytest.raises(UnitError):
        Video(compose="3 MB")


def test_a_device_without_a_gpu_shows_nothing() -> None:
    bare = replace(device(), accelerators={})
    with pytest.raises(UsageError, match="'video' needs a GPU to compose frames; 'toy' has none"):
        Display(Screen(bare).executor, Video(), "video")


def test_what_videos_and_user_interfaces_usually_do() -> None:
    assert (Video().fps, Video().number("decode"), Video().number("render"), Video().title) == (
        30.0,
        2e-3,
        0.0,
        "video",
    )
    assert (Ui().fps, Ui().number("decode"), Ui().number("render"), Ui().title) == (60.0, 0.0, 4e-3, "ui")
    assert Ui(name="list").title == "list"


def test_descriptions_say_what_is_not_usual() -> None:
    assert Video().describe() == {"kind": "video"}
    assert Ui(fps=90.0, traffic="10 MB", stop="2 s", name="list").describe() == {
        "kind": "ui", "fps": 90.0, "traffic": "10000000.0 B", "stop": "2 s", "name": "list",
    }  # fmt: skip


@given(
    st.sampled_from([Video, Ui]),
    st.fixed_dictionaries(
        {
            "fps": st.floats(1.0, 240.0),
            "decode": st.floats(0.0, 0.1),
            "render": st.floats(0.0, 0.1),
            "compose": st.floats(1e-6, 0.1),
            "traffic": st.floats(0.0, 1e9),
            "buffers": st.integers(1, 4),
            "priority": st.integers(-2, 2),
            "nice": st.integers(-20, 19),
            "affinity": st.sampled_from(["all", "big"]),
            "start": st.floats(0.0, 5.0),
            "stop": st.one_of(st.just(inf), st.floats(5.1, 99.0)),
        }
    ),
)
@settings(max_examples=50, deadline=None)
def test_a_file_gives_the_same_application(tmp_path_factory, kind, options) -> None:
    app = kind(**options)
    file = tmp_path_factory.mktemp("experiment") / "e.yaml"
    file.write_text(yaml.safe_dump({"device": "xiaomi-9", "duration": "1 s", "apps": [app.describe()]}))
    (read,) = load_experiment(file).apps
    assert type(read) is kind
    assert read == app


# --- an idle phone --------------------------------------------------------------------------------------------


def test_frames_of_an_idle_phone() -> None:
    """Decoded for 6, composed for 4."""
    bench = Screen()
    bench.show(decode=6 * MS)
    assert bench.frames(90) == [(1.0, 11.0, "presented"), (41.0, 51.0, "presented"), (81.0, -1, "pending")]


def test_frames_are_rendered_on_the_cpu() -> None:
    """On a little core, 5 ms of the fastest core take 10; the GPU needs nobody meanwhile."""
    bench = Screen()
    bench.show(Ui, render=5 * MS, affinity="little")
    assert bench.frames(50) == [(1.0, 15.0, "presented"), (41.0, -1, "pending")]
    bench.executor.close()
    assert bench.executor.cores.busy("other") == pytest.approx([0.0, 0.0, 19 * MS, 0.0])


def test_frames_begin_and_end_when_they_should() -> None:
    bench = Screen()
    bench.show(start=50 * MS, stop=130 * MS)
    assert [begin for begin, _, _ in bench.frames(400)] == [50.0, 90.0]


def test_frames_of_many_periods_do_not_drift() -> None:
    bench = Screen()
    bench.show(fps=30.0, start=0.0)
    begins = [r.begin_s for r in bench.display.log.records(0.0)] or [b for b, _, _ in bench.frames(100_000)]
    assert len(begins) == 3000
    assert begins[-1] == pytest.approx(2999 / 30 * 1e3, abs=1e-6)


def test_composition_longer_than_a_period_with_one_buffer() -> None:
    """50 of 40 ms: every other frame finds the buffer taken."""
    bench = Screen()
    bench.show(compose=50 * MS)
    assert bench.frames(165) == [
        (1.0, 51.0, "late"), (41.0, -1, "dropped"), (81.0, 131.0, "late"), (121.0, -1, "dropped"),
        (161.0, -1, "pending"),
    ]  # fmt: skip


def test_composition_longer_than_a_period_with_two_buffers() -> None:
    """The GPU is always busy; the frame of 241 is the first that finds both buffers taken."""
    bench = Screen()
    bench.show(compose=50 * MS, buffers=2)
    assert bench.frames(255) == [
        (1.0, 51.0, "late"), (41.0, 101.0, "late"), (81.0, 151.0, "late"), (121.0, 201.0, "late"),
        (161.0, 251.0, "late"), (201.0, -1, "late"), (241.0, -1, "dropped"),
    ]  # fmt: skip


# --- a busy GPU -----------------------------------------------------------------------------------------------


def test_a_gpu_that_is_always_busy() -> None:
    """A network of 156 and a frame of 4 by turns take 4 periods: one frame of four is composed, and late."""
    bench = Screen()
    bench.rival(processor="gpu", kernel="156 ms")
    bench.show()
    frames = bench.frames(1600)
    assert frames[:5] == [
        (1.0, 160.0, "late"), (41.0, -1, "dropped"), (81.0, -1, "dropped"), (121.0, -1, "dropped"),
        (161.0, 320.0, "late"),
    ]  # fmt: skip
    assert [status for _, _, status in frames].count("dropped") == 30
    assert len(frames) == 40


@pytest.mark.parametrize("periods", [2, 3, 5, 10, 18])
def test_the_share_of_dropped_frames_follows_from_the_network_s_time(periods: int) -> None:
    """1 - 1 / (T fps), where a network and a frame take T together, a multiple of the period."""
    bench = Screen()
    bench.rival(processor="gpu", kernel=(40 * periods - 4) * MS)
    bench.show()
    statuses = [status for _, _, status in bench.frames(40 * periods * 6)]
    assert statuses.count("dropped") / len(statuses) == pytest.approx(1.0 - 1.0 / periods)
    assert "presented" not in statuses


def test_a_second_buffer_makes_frames_later_and_not_fewer() -> None:
    """Frames 0 and 1 wait from the start; one is composed for each network."""
    bench = Screen()
    bench.rival(processor="gpu", kernel="156 ms")
    bench.show(buffers=2)
    frames = bench.frames(1600)
    assert [frames[i] for i in (0, 1, 4, 8)] == [
        (1.0, 160.0, "late"), (41.0, 320.0, "late"), (161.0, 480.0, "late"), (321.0, 640.0, "late")
    ]  # fmt: skip
    assert [status for _, _, status in frames].count("dropped") == 29


def test_short_kernels_do_no_harm() -> None:
    bench = Screen()
    bench.rival(processor="gpu", kernel="7 ms")
    bench.show()
    assert {status for _, _, status in bench.frames(1000)[:-1]} == {"presented"}


def test_priority_lets_a_frame_in_after_the_present_kernel() -> None:
    """Three rivals send kernels of 15: without priority a frame waits for up to three of them."""

    def longest(priority: float) -> float:
        bench = Screen()
        bench.rival(processor="gpu", kernel="15 ms", count=3)
        bench.show(priority=priority)
        return max(composed - begin for begin, composed, _ in bench.frames(400) if composed >= 0.0)

    assert longest(0) > 15 + 15 + 4
    assert longest(1) <= 15 + 4


def test_composing_needs_dram() -> None:
    """40 MB take 4 ms at 10 GB/s, and 8 beside a rival that would have all of it."""
    alone, beside = Screen(), Screen()
    for bench in (alone, beside):
        bench.show(traffic=40e6, compose=1 * MS)
    beside.rival(traffic=10 * GB, affinity="big")
    assert alone.frames(30)[0] == (1.0, 5.0, "presented")
    assert beside.frames(30)[0] == (1.0, 9.0, "presented")


# --- a busy CPU -----------------------------------------------------------------------------------------------


def test_rendering_waits_for_a_core_once_and_preempts_later() -> None:
    """The new thread waits for the tick at 10; as a sleeper it preempts the loops at once."""
    bench = Screen()
    bench.loop(0, at=0.0)
    bench.loop(1, at=0.0)
    bench.show(Ui, render=4 * MS, compose=2 * MS, affinity="big")
    assert bench.frames(120) == [
        (1.0, 16.0, "presented"), (41.0, 47.0, "presented"), (81.0, 87.0, "presented")
    ]  # fmt: skip


def test_long_rendering_loses_its_core() -> None:
    """From the tick at 10 it renders until 20, and again from 30: 8 more."""
    bench = Screen()
    bench.loop(0, at=0.0)
    bench.loop(1, at=0.0)
    bench.show(Ui, render=18 * MS, compose=2 * MS, affinity="big", nice=0)
    assert bench.frames(41.5)[0] == (1.0, 40.0, "presented")


def test_frames_are_rendered_in_order() -> None:
    """Rendering takes 50 of 40 ms with three buffers: frames wait for each other."""
    bench = Screen()
    bench.show(Ui, render=50 * MS, compose=2 * MS, buffers=3)
    frames = bench.frames(210)
    assert [composed for _, composed, _ in frames[:4]] == [53.0, 103.0, 153.0, 203.0]


# --- whole runs -----------------------------------------------------------------------------------------------


def outcome(*shown: FrameApp, seed: int = 0, **options):
    graph = net("a:16 x; b:8 a")
    app = Inference(graph, Fixed({op.name: BUFFER for op in graph}), library=LIBRARY)
    simulation = Simulation(toy(), [app, *shown], duration=20.0, seed=seed, **options)
    simulation.validate()
    return simulation.run()


def test_names_are_unique() -> None:
    shown = [Video(fps=1), Video(fps=2), Ui(fps=1), Video(fps=1, name="net")]
    assert list(dict.fromkeys(f.app for f in outcome(*shown).frames)) == ["video", "video-2", "ui", "net-2"]


def test_same_seed_same_bits() -> None:
    shown = Video(fps=3, compose=0.1), Ui(fps=7, render=0.05, compose=0.02)
    assert outcome(*shown, seed=3) == outcome(*shown, seed=3)


def test_stepwise_is_the_same() -> None:
    shown = Video(fps=3, compose=0.1), Ui(fps=7, render=0.05, compose=0.02)
    fast, slow = outcome(*shown), outcome(*shown, stepwise=True)
    for a, b in zip(fast.frames, slow.frames, strict=True):
        assert a.status == b.status
        assert a.composed_s == pytest.approx(b.composed_s, abs=1e-9)


def test_a_video_alone_may_be_simulated() -> None:
    result = simulate("xiaomi-9", [Video()], duration="1 s")
    assert result.shown()["presented"] == 30
    assert result.shown()["fps_shown"] == pytest.approx(30.0)
    assert result.outcome.energy_j["gpu"] > 0.0


def test_mitigations_bring_frames_back() -> None:
    """A network of 600 ms on the GPU: short kernels, and one at a time, let frames in between."""

    def dropped(**pacing) -> float:
        app = Inference("vgg16", "gpu(layout=buffer)", **pacing)
        return simulate("xiaomi-9", [app, Video()], duration="3 s").shown()["frame_drop_share"]

    assert dropped() > 0.85
    assert dropped(kernel_limit="5 ms", queue_window=1) == 0.0


def test_mechanisms_are_kept_in_the_configuration() -> None:
    result = simulate("xiaomi-9", [Video()], duration="0.1 s", mechanisms=Mechanisms(dram=False))
    assert result.config["mechanisms"] == {"cpu": "cfs", "barriers": True, "dram": False}
