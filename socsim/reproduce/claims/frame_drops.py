"""A video that stops because a network has the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from socsim.reproduce.chart import Bars, Series, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, Measure
from socsim.reproduce.helpers import play

__all__ = ["CLAIM", "frames"]

LAYOUTS = ("buffer", "image")
MITIGATIONS = (
    "none",
    "kernels of 1 ms",
    "window 16",
    "low priority",
    "1 ms, window 16",
    "1 ms, low priority",
)


def frames(layout: str, mitigation: str, duration: str) -> dict[str, float]:
    """Shares of frames dropped and late, and the network's latency in ms, beside a video of 30 fps."""
    result = play(
        "video-and-vgg",
        f"sweep.layout=[{layout}]",
        f"sweep.mitigation=['{mitigation}']",
        f"duration={duration}",
    )
    statuses = [frame.status for frame in result.outcome.frames]
    return {
        "dropped": statuses.count("dropped") / len(statuses),
        "late": statuses.count("late") / len(statuses),
        "latency_ms": result.metrics("classifier")["latency_ms_mean"],
    }


def jobs(effort: Effort) -> dict[str, Job]:
    """Both layouts, and what libraries and drivers can do about it."""
    pairs = product(LAYOUTS, MITIGATIONS)
    return {
        f"{layout}: {what}": Job(frames, (layout, what, effort.seconds(30, least=3)))
        for layout, what in pairs
    }


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Frames dropped beside VGG-16 in GPU buffers."""
    main = found["buffer: none"]
    closed = {layout: 1 - 1000 / 30 / found[f"{layout}: none"]["latency_ms"] for layout in LAYOUTS}
    return Finding(
        values={"dropped": [main["dropped"] + main["late"]]},
        chart=Bars(
            list(found),
            [
                Series("never shown", [100 * row["dropped"] for row in found.values()]),
                Series("shown late", [100 * row["late"] for row in found.values()]),
            ],
            "frames not composed by their vsync [%]",
            published=[90.0] + [None] * (len(found) - 1),
            stacked=True,
        ),
        caption="GPU memory that the network uses, and what is done for the frames.",
        ablation=Table(
            "with images, and with what MACE and drivers offer against it",
            ("", "never shown", "shown late", "latency of VGG-16"),
            tuple(
                (key, f"{row['dropped']:.1%}", f"{row['late']:.1%}", f"{row['latency_ms']:.0f} ms")
                for key, row in found.items()
            ),
        ),
        numbers={
            "latency": f"{main['latency_ms']:.0f}",
            "short": f"{_missed(found['buffer: kernels of 1 ms']):.0f}",
            "window": f"{_missed(found['buffer: 1 ms, window 16']):.1f}",
            "low": f"{_missed(found['buffer: 1 ms, low priority']):.1f}",
            "never": f"{100 * main['dropped']:.1f}",
        },
        notes=(
            f"Beside VGG-16 in buffers, {main['dropped']:.1%} of the frames are never shown and "
            f"{main['late']:.1%} are shown late.",
            "If a frame had to wait for a whole inference, 1 - 1 / (latency x 30 fps) of them would be "
            f"dropped: {closed['buffer']:.1%} with buffers, {closed['image']:.1%} with images.",
        ),
    )


def _missed(row: Mapping[str, float]) -> float:
    return 100 * (row["dropped"] + row["late"])


CLAIM = Claim(
    name="frame-drops",
    title="frames of a video dropped beside a network on the GPU",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="VGG-16 on MACE with GPU buffers makes a video application drop more than 90 % of its frames.",
    measures=(
        Measure("dropped", "frames not composed by their vsync / frames due", 0.90, 0.90, 1.0, "share"),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "The host enqueues a whole inference faster than the GPU computes it, the GPU serves commands in "
        "the order in which they come and interrupts none. A frame's drawing command waits behind all "
        "kernels of the inference under way, up to {latency} ms with buffers: all but one frame of that "
        "time miss their turn. Short kernels alone change next to nothing ({short} % still miss it), for "
        "the queue is as long; kernels of 1 ms with a window of 16 commands leave {window} %, with low "
        "priority {low} %, as MACE's documentation recommends."
    ),
    assumptions=(
        "Device, frame rate and application are not told: xiaomi-9, 30 frames per second, 2 ms of "
        "decoding and 3 ms of composition per frame.",
        "A frame that is not composed by its vsync counts as dropped, though one that is shown late is "
        "seen. Which of the two was counted is not told, and the verdict hangs on it: counting only frames "
        "that are never shown, {never} % are dropped.",
        "VGG-16 runs back to back.",
    ),
    random=False,
)
