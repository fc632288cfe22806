"""What three busy processes do to a network on the CPU, the GPU and the DSP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import PARALLEL, Claim, Effort, Finding, Job, band
from socsim.reproduce.helpers import busy_processes, by_seed, means, play, spread, times_ms

__all__ = ["CLAIM", "Runs", "calm", "polled", "service_ms"]

PROCESSORS = ("cpu", "gpu", "dsp")
PUBLISHED = {"cpu": 10.2, "gpu": 2.1, "dsp": 1.8}
ABLATIONS: dict[str, tuple[str, ...]] = {
    "all mechanisms": (),
    "cores shared ideally": ("mechanisms={cpu: processor_sharing}",),
    "no barriers": ("mechanisms={barriers: false}",),
    "no DRAM contention": ("mechanisms={dram: false}",),
    "energy-aware placement": ("mechanisms={placement: eas}",),
}
COUNTS = {"cpu": 12, "gpu": 20, "dsp": 60}
OTHERWISE = {
    "resnet50, GPU buffers": ("gpu", "resnet50", "gpu(layout=buffer)"),
    "resnet50_v2, CPU": ("cpu", "resnet50_v2", "cpu"),
    "resnet50_v2, GPU images": ("gpu", "resnet50_v2", "gpu(layout=image)"),
    "resnet50_v2, GPU buffers": ("gpu", "resnet50_v2", "gpu(layout=buffer)"),
    "resnet50_v2, DSP": ("dsp", "resnet50_v2", "dsp"),
}
"""What could have been measured too: processor, network, scheduler."""


def service_ms(
    processor: str, processes: int, seed: int, count: int, ablation: str, model: str = "resnet50"
) -> float:
    """Mean time in ms of an inference beside so many processes, the first aside."""
    result = play(
        "competing-processes",
        f"apps.net.scheduler={processor}",
        f"apps.busy.count={processes}",
        f"seed={seed}",
        f"apps.net.count={count}",
        f"apps.net.model={model}",
        *ABLATIONS[ablation],
    )
    return fmean(times_ms(result, "net", warm_up=1))


def polled(processes: int, seed: int, count: int) -> float:
    """The same on the DSP where the thread that calls it waits busily."""
    import socsim

    device = socsim.load_device("xiaomi-9")
    dsp = replace(device.accelerators["dsp"], poll=True)
    phone = replace(device, accelerators={**device.accelerators, "dsp": dsp})
    app = socsim.Inference("resnet50", "dsp", name="net", count=count)
    return _beside(phone, app, processes, seed)


def calm(processes: int, seed: int, count: int) -> float:
    """The same on the CPU where the library's threads sleep at once while they wait for each other."""
    import yaml

    import socsim

    told = yaml.safe_load(
        (resources.files("socsim.workloads") / "libraries" / "mace.yaml").read_text("utf-8")
    )
    told["workers"]["spin"] = "0 ms"
    with TemporaryDirectory() as folder:
        library = Path(folder, "mace.yaml")
        library.write_text(yaml.safe_dump(told), encoding="utf-8")
        app = socsim.Inference("resnet50", "cpu", library=str(library), name="net", count=count)
        return _beside(socsim.load_device("xiaomi-9"), app, processes, seed)


def _beside(phone: Any, app: Any, processes: int, seed: int) -> float:
    import socsim

    apps = [app, *busy_processes(processes)]
    return fmean(times_ms(socsim.simulate(phone, apps, seed=seed), "net", warm_up=1))


def jobs(effort: Effort) -> dict[str, Job]:
    """Idle and beside three processes, with and without each mechanism; one to five processes."""
    found = {}
    for p in PROCESSORS:
        count = effort.count(COUNTS[p])
        for name in ABLATIONS:
            found[f"{name} {p} idle"] = Job(service_ms, (p, 0, 0, count, name))
            for seed in range(effort.seeds):
                found[f"{name} {p} {seed}"] = Job(service_ms, (p, 3, seed, count, name))
        for n in (1, 2, 4, 5):
            for seed in range(effort.seeds):
                found[f"{n} {p} {seed}"] = Job(service_ms, (p, n, seed, count, "all mechanisms"))
    for name, (p, model, scheduler) in OTHERWISE.items():
        count = effort.count(COUNTS[p])
        found[f"{name} idle"] = Job(service_ms, (scheduler, 0, 0, count, "all mechanisms", model))
        for seed in range(effort.seeds):
            found[f"{name} {seed}"] = Job(service_ms, (scheduler, 3, seed, count, "all mechanisms", model))
    for name, function, p in (("polling", polled, "dsp"), ("calm", calm, "cpu")):
        count = effort.count(COUNTS[p])
        found[f"{name} idle"] = Job(function, (0, 0, count))
        for seed in range(effort.seeds):
            found[f"{name} {seed}"] = Job(function, (3, seed, count))
    return found


class Runs:
    """Slow-downs of what :func:`jobs` found, seed by seed."""

    def __init__(self, found: Mapping[str, Any], seeds: int) -> None:
        self._found, self._seeds = found, seeds
        self.ablations = {name: {p: self._factors(name, p) for p in PROCESSORS} for name in ABLATIONS}
        self.main = self.ablations["all mechanisms"]
        self.polling, self.calm = self._factors("polling"), self._factors("calm")
        self.otherwise = {name: self._factors(name) for name in OTHERWISE}
        self.counts = {n: {p: self._beside(n, p) for p in PROCESSORS} for n in range(1, 6)}
        self.ordered = sum(c > g > d for c, g, d in zip(*(self.main[p] for p in PROCESSORS), strict=True))

    def idle_ms(self, *parts: str) -> float:
        """Time of an inference on the idle phone."""
        return float(self._found[" ".join([*parts, "idle"])])

    def _factors(self, *parts: str) -> list[float]:
        return self._over(self.idle_ms(*parts), *parts)

    def _beside(self, processes: int, processor: str) -> list[float]:
        if processes == 3:
            return self.main[processor]
        return self._over(self.idle_ms("all mechanisms", processor), str(processes), processor)

    def _over(self, idle: float, *parts: str) -> list[float]:
        return [ms / idle for ms in by_seed(self._found, *parts, seeds=self._seeds)]


def conclude(found: Mapping[str, Any], effort: Effort) -> Finding:
    """Times beside processes over times on the idle phone."""
    runs = Runs(found, effort.seeds)
    return Finding(
        values=runs.main,
        chart=_chart(runs),
        numbers={
            "ideal": f"{fmean(runs.ablations['cores shared ideally']['cpu']):.1f}",
            "no_barriers": f"{fmean(runs.ablations['no barriers']['cpu']):.1f}",
            "calm": f"{fmean(runs.calm):.1f}",
            "polling": f"{fmean(runs.polling):.1f}",
            "buffers": f"{fmean(runs.otherwise['resnet50, GPU buffers']):.1f}",
        },
        ablation=_ablation(runs),
        tables=(_by_number(runs), _other_networks(runs)),
        notes=(f"The order CPU, GPU, DSP is found at {runs.ordered} of {effort.seeds} seeds.",),
    )


def _chart(runs: Runs) -> Bars:
    return Bars(
        [p.upper() for p in PROCESSORS],
        [means(name, (row[p] for p in PROCESSORS)) for name, row in runs.ablations.items()],
        "slow-down beside three processes",
        published=[PUBLISHED[p] for p in PROCESSORS],
        bands=[(m.low, m.high) for m in CLAIM.measures],
    )


def _ablation(runs: Runs) -> Table:
    return Table(
        "slow-down beside three processes without single mechanisms, mean (least to most of the seeds)",
        ("", *(p.upper() for p in PROCESSORS)),
        (
            *((name, *(spread(row[p]) for p in PROCESSORS)) for name, row in runs.ablations.items()),
            ("no busy waiting for other threads", spread(runs.calm), "", ""),
            ("host polls for the DSP", "", "", spread(runs.polling)),
        ),
    )


def _by_number(runs: Runs) -> Table:
    return Table(
        "Slow-down by number of processes",
        ("", *(p.upper() for p in PROCESSORS)),
        tuple((str(n), *(spread(row[p]) for p in PROCESSORS)) for n, row in runs.counts.items()),
    )


def _other_networks(runs: Runs) -> Table:
    return Table(
        "Another network, other memory: time on the idle phone, slow-down beside three processes",
        ("", "idle [ms]", "slow-down", "published"),
        tuple(
            (name, f"{runs.idle_ms(name):.0f}", spread(row), f"{PUBLISHED[OTHERWISE[name][0]]}")
            for name, row in runs.otherwise.items()
        ),
    )


_GPU = (
    "On the GPU, next to nothing is lost with images: these processes use the CPU and DRAM, and the one "
    "thread that dispatches kernels is far ahead of the GPU, wakes up once an inference, and then preempts. "
    "It is another matter where operators fall back to the CPU: in buffers, MACE's GPU has no kernels for "
    "the sums of this network and for half of ResNet-50 v2, and each of these operators, and each transpose "
    "that takes its tensors over, waits for cores as on the CPU: {buffers} times on the mean (see the last "
    "table), for some seeds less than 2.1. Two other findings of the paper are of buffers; of what memory this "
    "one is, and of which network, is not told. The library's default on this GPU, images, is taken, and not "
    "what would fit. Competitors that draw would slow it too."
)
_DSP = (
    "On the DSP, inferences are short calls. The thread that calls wakes up when its DSP is done: on an "
    "idle phone it finds its core asleep, beside busy processes awake, so the call even ends a little "
    "sooner. MACE gives the DSP the whole network, its input as it is, so that nothing falls back and the "
    "host quantises nothing. Where the host polls instead (see the table), it is preempted like any other "
    "busy thread, and {polling} comes out, for a published 1.8. FastRPC's driver polls only if it is asked to, "
    "so that sleeping is taken; none is preferred because it would fit."
)

CLAIM = Claim(
    name="competing-processes",
    title="slow-down beside three busy processes",
    paper=PARALLEL,
    section="published summary; its text was not at hand",
    reports="Three competing processes slow a network down 10.2 times on the CPU, 2.1 on the GPU and 1.8 on the DSP.",
    measures=(
        band("cpu", "slow-down, CPU", 10.2),
        band("gpu", "slow-down, GPU", 2.1, otherwise=_GPU),
        band("dsp", "slow-down, DSP", 1.8, otherwise=_DSP),
    ),
    jobs=jobs,
    conclude=conclude,
    mechanism=(
        "On the CPU, an operator ends when its slowest thread does. Beside three runnable threads on a "
        "core, Linux gives each its turn of milliseconds, so that one of the network's threads nearly "
        "always waits for its own, and all others with it; as the library's threads wait busily for each "
        "other, what they wait is counted as theirs ({calm} times without that). It takes both: where cores "
        "are shared ideally, all at once at a part of the speed, or where work flows to whoever has a core "
        "instead of waiting at a barrier, the factor is {ideal} or {no_barriers}. DRAM has no part in it, "
        "nor has placement: with more busy threads than cores, energy-aware placement leaves them to load "
        "balancing. Accelerators are used by nobody else here; they feel the host's thread and DRAM only."
    ),
    assumptions=(
        "Which processes competed is not told. Taken: four threads each that may run on any core, 45 ms "
        "of work and a pause of 5 ms on average, 6 GB/s while they run; one definition for all three "
        "processors.",
        "ResNet-50 with MACE on xiaomi-9, back to back, the first inference aside, its tensors on the GPU in "
        "images, MACE's default there. Neither network nor memory is told; others are in the last table.",
        "The bands, 20 % to both sides, are ours.",
    ),
)
