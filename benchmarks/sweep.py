"""How well sweeps scale: throughput on one and two processes, overhead per run, memory of the parent, and dask.

    python benchmarks/sweep.py [--json] [--runs N] [--repeat N] [--memory-runs N] [--no-dask]

It takes about ten minutes with the defaults; progress goes to standard error. Every figure is the best of the
repetitions, as others may use the machine meanwhile. The overhead of a run is what it costs in a worker beyond the
simulation itself, from the order to run it to its line on the disk. Beside wall times there is the processor time of
the parent and of the workers for each run, which others disturb less: `scaling_by_cpu` is what two processors would
reach if nothing but this ran on them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from socsim.simulation.setups import Setups
from socsim.simulation.simulation import Simulation
from socsim.sweeps import Sweep, load_sweep
from socsim.sweeps.conducting import conduct
from socsim.sweeps.engines import Engine, PoolEngine
from socsim.sweeps.task import Task

ROOT = Path(__file__).resolve().parents[1]

EXPERIMENT = """\
device: xiaomi-9
duration: {duration} ms
apps:
  - {{kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, arrivals: {{kind: poisson, period: 20 ms}}}}
  - {{kind: competitor, name: busy, threads: 2, duty: 0.5}}
sweep:
  apps.net.scheduler: [cpu, gpu, mulayer, codl]
  seed: 0..{last}
"""
"""Runs of four schedulers on a busy phone."""


def plan_of(folder: Path, runs: int, duration_ms: float = 100.0) -> Sweep:
    """A sweep of that many runs."""
    file = folder / f"sweep-{runs}-{duration_ms:g}.yaml"
    file.write_text(EXPERIMENT.format(duration=duration_ms, last=max(0, runs // 4 - 1)))
    return load_sweep(file)


def throughput(plan: Sweep, engine: Engine) -> float:
    """Runs per s, from the first outcome that is on the disk to the last: workers have started by then."""
    stamps: list[tuple[float, int]] = []

    def report(progress: Any, outcomes: list[Any]) -> None:
        if outcomes:
            stamps.append((time.perf_counter(), len(outcomes)))

    with tempfile.TemporaryDirectory() as folder:
        conduct(Task(plan), engine, Path(folder), report=report)
    warm = max(1, len(stamps) // 10) if len(stamps) > 1 else 0
    if not warm:
        return 0.0
    begin = stamps[warm - 1][0]
    return sum(count for _, count in stamps[warm:]) / (stamps[-1][0] - begin)


def simulating_ms(plan: Sweep, sample: int = 40) -> float:
    """Mean time in ms that the events of a run take."""
    setups, spent = Setups(), 0.0
    run = Simulation.run

    def timed(self: Simulation) -> Any:
        nonlocal spent
        begin = time.perf_counter()
        outcome = run(self)
        spent += time.perf_counter() - begin
        return outcome

    numbers = range(0, len(plan), max(1, len(plan) // sample))
    for number in numbers:
        plan.experiment(number).run(setups=setups)
    Simulation.run = timed  # type: ignore[method-assign]
    try:
        for number in numbers:
            plan.experiment(number).run(setups=setups)
    finally:
        Simulation.run = run  # type: ignore[method-assign]
    return 1e3 * spent / len(numbers)


def cpu_ms(plan: Sweep, jobs: int) -> tuple[float, float]:
    """Processor time in ms of the parent and of the workers for each run, without that of starting them."""
    short = plan_of(Path(plan.document.path).parent, 4 * jobs)
    spent = []
    for own in (short, plan):
        before = _cpu_s()
        throughput(own, PoolEngine(jobs))
        spent.append([after - begin for after, begin in zip(_cpu_s(), before, strict=True)])
    runs = len(plan) - len(short)
    parent, workers = (1e3 * (long - brief) / runs for brief, long in zip(*spent, strict=True))
    return parent, workers


def _cpu_s() -> tuple[float, float]:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    parent, children = (usage.ru_utime + usage.ru_stime for usage in usages)
    return parent, children


def best(
    repeat: int, what: str, *measures: Callable[[], float], better: Callable[..., float] = max
) -> list[float]:
    """The best of several repetitions of each measurement, taken by turns so that all are disturbed alike."""
    found: list[list[float]] = [[] for _ in measures]
    for i in range(repeat):
        for own, measure in zip(found, measures, strict=True):
            own.append(measure())
        told = ", ".join(f"{own[-1]:.4g}" for own in found)
        print(f"{what}: {told} ({i + 1} of {repeat})", file=sys.stderr, flush=True)
    return [better(own) for own in found]


# --- memory -------------------------------------------------------------------------------------------------------


_PARENT = """\
import json, resource, sys, tempfile
from pathlib import Path
sys.path.insert(0, {root!r})
from socsim.cli.main import main
try:
    main(["sweep", {file!r}, "-o", {out!r}, "-j", "2", "-q"])
except SystemExit as ended:
    assert not ended.code, ended.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)
"""


def parent_memory_mb(folder: Path, runs: int) -> float:
    """Highest resident memory of the process that sweeps, its tables included."""
    plan = plan_of(folder, runs, 20.0)
    with tempfile.TemporaryDirectory() as out:
        program = _PARENT.format(root=str(ROOT), file=plan.document.path, out=str(Path(out) / "out"))
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout)


# --- dask ---------------------------------------------------------------------------------------------------------


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """Address of a scheduler of dask on loopback with workers of one thread."""
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    local = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, *local]
        return subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload, no-any-return]

    processes = [start("scheduler", "--port", "0", "--scheduler-file", str(file))]
    try:
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        options = ("--nthreads", "1", "--no-nanny", "--death-timeout", "30")
        processes += [start("worker", address, *options) for _ in range(workers)]
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def dask_against_pool(folder: Path, runs: int, repeat: int) -> dict[str, float]:
    """Runs per s of about 100 ms each, on two processes of this machine and on two workers of dask."""
    from socsim.sweeps.cluster import DaskEngine

    duration = 100.0
    for _ in range(4):
        took = simulating_ms(plan_of(folder, 40, duration), 12)
        duration *= 100.0 / took
    plan = plan_of(folder, runs, round(duration))
    with cluster(folder, 2) as address:
        pool, dask = best(
            repeat, "pool and dask, runs/s of 100 ms",
            lambda: throughput(plan, PoolEngine(2)), lambda: throughput(plan, DaskEngine(address)),
        )  # fmt: skip
    return {"pool_runs_per_s": pool, "dask_runs_per_s": dask, "dask_to_pool": dask / pool}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, repeat = Path(name), arguments.repeat
        plan = plan_of(folder, arguments.runs)
        one, two = best(
            repeat, "1 and 2 processes, runs/s",
            lambda: throughput(plan, PoolEngine(1)), lambda: throughput(plan, PoolEngine(2)),
        )  # fmt: skip
        (_, alone), (parent, beside) = cpu_ms(plan, 1), cpu_ms(plan, 2)
        (simulating,) = best(repeat, "simulating, ms", lambda: simulating_ms(plan), better=min)
        report: dict[str, Any] = {
            "runs": len(plan),
            "runs_per_s_1": one,
            "runs_per_s_2": two,
            "scaling": two / one,
            "cpu_ms_parent": parent,
            "cpu_ms_worker": alone,
            "cpu_ms_worker_of_2": beside,
            "scaling_by_cpu": 2.0 * alone / (beside + parent),
            "simulating_ms": simulating,
            "overhead_ms": 1e3 / one - simulating,
        }
        for runs in (arguments.memory_runs // 10, arguments.memory_runs):
            print(f"memory of the parent, {runs} runs", file=sys.stderr, flush=True)
            report[f"parent_mb_{runs}"] = parent_memory_mb(folder, runs)
        if not arguments.no_dask:
            report |= dask_against_pool(folder, 240, repeat)
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory-runs", type=int, default=10_000)
    parser.add_argument("--no-dask", action="store_true")
    arguments = parser.parse_args()
    report = measure(arguments)
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    for key, value in report.items():
        print(f"{key:20} {value:10.4g}")


if __name__ == "__main__":
    main()
