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
            list(MITIGATIONS),
            [Series(f"GPU {s}", [_missed(found[f"{s}: {m}"]) for m in MITIGATIONS]) for s in LAYOUTS],
            "frames not composed by their vsync [%]",
        ),
        ablation=Table(
            "With images, and with what MACE and drivers offer against it",
            ("", "never shown", "shown late", "latency of VGG-16"),
            tuple(
                (key, f"{row['dropped']:.1%}", f"{row['late']:.1%}", f"{row['latency_ms']:.0f} ms")
                for key, row in found.items()
            ),
        ),
        notes=(
            f"Beside VGG-16 in buffers, {main['dropped']:.1%} of the frames are never shown and "
            f"{main['late']:.1%} are shown late; both count as dropped here. Without the late ones it "
            "would be a little less than 90 %.",
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
        "kernels of the inference under way, half a second with buffers: all but one frame of that time "
        "miss their turn. Short kernels alone change nothing, for the queue is as long; kernels of 1 ms "
        "with either a window of 16 commands or low priority drop none, as MACE's documentation "
        "recommends."
    ),
    assumptions=(
        "Device, frame rate and application are not told: xiaomi-9, 30 frames per second, 2 ms of "
        "decoding and 3 ms of composition per frame; a frame that is not composed by its vsync is "
        "dropped, though one that is shown late is seen: which of the two was counted is not told.",
        "VGG-16 runs back to back.",
    ),
    random=False,
)
