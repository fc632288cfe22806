"""A dynamic super-network against one of the state of the art, on the GPU and the CPU of a Jetson Xavier NX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any

from socsim.reproduce.chart import Lines, Series, Table
from socsim.reproduce.claim import DYNAMIC_OFA, Claim, Effort, Finding, Job, band
from socsim.workloads.dynamic import Point, best, interpolate, load_family, pareto

__all__ = ["CLAIM", "Runs", "latency_s"]

OURS, RIVAL = "dynamic_ofa", "autoslim_mnasnet"
SIMILAR = 0.03
"""How much longer counts as a similar latency."""

MEASURED = "as taken to be measured"
WAYS = {
    MEASURED: ("beside", "turns at 114.75 MHz"),
    "both beside their host, GPU at 803 MHz": ("beside", "beside"),
    "both beside their host, GPU at 114.75 MHz": ("beside at 114.75 MHz", "beside at 114.75 MHz"),
    "both in turns with their host, GPU at 114.75 MHz": ("turns at 114.75 MHz", "turns at 114.75 MHz"),
}

SEARCHED = "CPU, sub-networks searched for it, their published times"
UNSEARCHED = "CPU, sub-networks searched for the GPU, all simulated"


def latency_s(network: str, processor: str, way: str) -> float:
    """Time in s of the second of two inferences in the board's mode 10W_4CORE."""
    import socsim

    app = socsim.Inference(
        network, processor, library="pytorch_eager", count=2, blocking=way.startswith("turns")
    )
    limits = {"gpu": {"max": "114.75 MHz"}} if way.endswith("MHz") else None
    result = socsim.simulate("jetson-xavier-nx(mode=10W_4CORE)", [app], limits=limits)
    last = result.outcome.inferences[-1]
    return last.finish_s - last.start_s


def jobs(effort: Effort) -> dict[str, Job]:
    """All levels of both families, in each way to measure."""
    found = {}
    for ours, rival in WAYS.values():
        for family, way in ((OURS, ours), (RIVAL, rival)):
            for member in load_family(family).levels:
                found[f"{member.name} gpu {way}"] = Job(latency_s, (member.name, "gpu", way))
    for family in (OURS, RIVAL):
        for member in load_family(family).levels:
            found[f"{member.name} cpu beside"] = Job(latency_s, (member.name, "cpu", "beside"))
    return found


class Runs:
    """Points of both families, by how they were measured."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found
        self.on_gpu = {
            name: (self.points(OURS, "gpu", a), self.points(RIVAL, "gpu", b)) for name, (a, b) in WAYS.items()
        }
        self.on_cpu, self.rival_on_cpu = (self.points(family, "cpu", "beside") for family in (OURS, RIVAL))
        self.searched = list(load_family(OURS).reference("nx_cpu"))

    def points(self, family: str, processor: str, way: str) -> list[Point]:
        """Accuracy and time of a family's levels."""
        levels = load_family(family).levels
        return [Point(m.top1, self._found[f"{m.name} {processor} {way}"], m.level) for m in levels]

    def compared(self) -> dict[str, tuple[float, float]]:
        """Times as fast, and points more accurate, in each way to compare."""
        gains = {name: (_factor(a, b), _points(a, b, 0)) for name, (a, b) in self.on_gpu.items()}
        for name, ours in ((SEARCHED, self.searched), (UNSEARCHED, self.on_cpu)):
            gains[name] = (_factor(ours, self.rival_on_cpu), _points(ours, self.rival_on_cpu, 1))
        return gains


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Factors at the rival's best accuracy, points at its latency."""
    runs = Runs(found)
    gains = runs.compared()
    (gpu, gpu_points), (cpu, cpu_points) = gains[MEASURED], gains[SEARCHED]
    return Finding(
        values={
            "gpu-speed-up": [gpu],
            "gpu-accuracy": [gpu_points],
            "cpu-speed-up": [cpu],
            "cpu-accuracy": [cpu_points],
        },
        chart=_curves(runs),
        caption="Points are the levels of each family.",
        ablation=Table(
            "what the comparison hangs on: how the two are measured, and for which processor sub-networks "
            "were searched",
            ("", "times as fast", "points more accurate"),
            tuple((name, f"{factor:.2f}", _told(points)) for name, (factor, points) in gains.items()),
        ),
    )


def _curves(runs: Runs) -> Lines:
    ours, rival = runs.on_gpu[MEASURED]
    return Lines(
        [
            _series("Dynamic-OFA, GPU", ours),
            _series("AutoSlim-MnasNet, GPU", rival),
            _series("Dynamic-OFA, CPU (published times)", runs.searched),
            _series("AutoSlim-MnasNet, CPU", runs.rival_on_cpu),
        ],
        "latency [ms]",
        "Top-1 [%]",
        [
            _series("Dynamic-OFA, GPU", list(load_family(OURS).reference("nx_gpu"))),
            _series("AutoSlim-MnasNet, GPU", list(load_family(RIVAL).reference("nx_gpu"))),
            _series("AutoSlim-MnasNet, CPU", list(load_family(RIVAL).reference("nx_cpu"))),
        ],
        log_x=True,
    )


def _told(points: float) -> str:
    return "none within its time" if isnan(points) else f"{points:+.1f}"


def _factor(ours: Sequence[Point], rival: Sequence[Point]) -> float:
    """How many times as fast at the accuracy of the rival's last level, along lines between our points."""
    return rival[-1].latency_s / interpolate(pareto(ours), top1=rival[-1].top1)


def _points(ours: Sequence[Point], rival: Sequence[Point], level: int) -> float:
    """How many points more accurate within the time of one of the rival's levels; NaN where none is."""
    chosen = best(pareto(ours), rival[level].latency_s, tolerance=SIMILAR)
    return nan if chosen is None else chosen.top1 - rival[level].top1


def _series(name: str, points: Sequence[Point]) -> Series:
    front = sorted(points, key=lambda p: p.latency_s)
    return Series(name, [p.top1 for p in front], [1e3 * p.latency_s for p in front])


CLAIM = Claim(
    name="dynamic-supernet",
    title="sub-networks of a super-network against AutoSlim",
    paper=DYNAMIC_OFA,
    section="abstract and the authors' published figures; also the abstract of arXiv 2401.08965",
    reports=(
        "Dynamic-OFA is 2.4 times as fast on the GPU of a Jetson Xavier NX at similar Top-1 accuracy, or "
        "5.1 points more accurate at similar latency; on its CPU 3.5 times as fast, or 3.8 points."
    ),
    measures=(
        band("gpu-speed-up", "times as fast as AutoSlim, GPU", 2.4),
        band("gpu-accuracy", "more accurate than AutoSlim, GPU", 5.1, "points"),
        band("cpu-speed-up", "times as fast as AutoSlim, CPU", 3.5),
        band("cpu-accuracy", "more accurate than AutoSlim, CPU", 3.8, "points"),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "PyTorch in eager mode waits for its host on this board: an inference takes what its operators "
        "take to be issued, nearly whatever they compute, so that a sub-network of fewer blocks is faster "
        "in proportion. That alone does not favour Dynamic-OFA, whose networks have more operators than "
        "AutoSlim's: on equal terms the latter is as fast or faster (see the table). The published factor "
        "appears where AutoSlim's networks are timed by a profiler that makes the host wait for each "
        "operator, with the GPU at its lowest clock, and Dynamic-OFA's by code that does not wait for the "
        "GPU, which is what the published code of the latter does. On the CPU, work decides, and "
        "depth-wise convolutions that PyTorch computes channel by channel: 0.15 ms for each."
    ),
    assumptions=(
        "The rival is AutoSlim-MnasNet, from whose published points both factors follow; similar latency "
        "is within 3 %.",
        "How AutoSlim's networks were timed is not told; the way taken is what explains their published times.",
        "The board was in mode 10W_4CORE.",
        "The sub-networks that the authors searched for the CPU are not published: their published times "
        "are compared with AutoSlim's simulated ones. That half of the CPU's numbers is not a simulation.",
        "The bands, 20 % to both sides, are ours.",
    ),
    random=False,
)
