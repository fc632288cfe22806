"""Hand-made outcomes for the tests of results: small enough to check by eye."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.records import (
    AppRecord,
    ClockRecord,
    ComponentPower,
    EnergyRecord,
    IdleRecord,
    KernelRecord,
    Outcome,
    PredictionRecord,
)

CORES = ("silver", "silver", "gold", "prime")


def kernel(
    op: str, start: float, end: float, *, on: str = "gpu", cores: Iterable[int] = (), **more: Any
) -> KernelRecord:
    """A record in ms; `more` overrides any field."""
    record = KernelRecord(
        "app", 0, op, "kernel", "gemm", on, "", tuple(cores), start / 1e3, end / 1e3, 1e6, 1.0
    )
    return record._replace(**more)


def sharing(op: str, kind: str, source: str, target: str, start: float, end: float) -> KernelRecord:
    """A step of handing data over, in ms."""
    return kernel(op, start, end, on=target, kind=kind, kernel_class="", source=source, dram_bytes=0.0)


def app_record(**more: Any) -> AppRecord:
    """Four operators of which one fell back."""
    record = AppRecord(
        "app",
        "tiny",
        "mace",
        "gpu",
        "fp32",
        4,
        1,
        {"softmax": "no kernel"},
        4.0,
        2e6,
        0.5e-3,
        3_000_000,
        10**6,
    )
    return replace(record, **more)


def mixed_outcome(**more: Any) -> Outcome:
    """Two kernels on the GPU, a hand-over, one on two CPU cores.

    ::

        gpu      conv1 0-2   conv2 2-5
        sharing                        map 5-5.5  sync 5.5-6
        cpu 2+3                                               softmax 6-8
    """
    records = (
        kernel("conv1", 0, 2),
        kernel("conv2", 2, 5, kernel_class="winograd"),
        sharing("softmax", "map", "gpu", "cpu", 5, 5.5),
        sharing("softmax", "sync", "gpu", "cpu", 5.5, 6),
        kernel("softmax", 6, 8, on="cpu", cores=(2, 3), kernel_class="softmax"),
    )
    outcome = Outcome(
        device="toy",
        seed=7,
        duration_s=0.010,
        inferences=(InferenceRecord("app", 0, 0.0, 0.0, 0.008, "finished"),),
        kernels=records,
        apps={"app": app_record()},
        busy_s={"cpu": 0.001, "gpu": 0.005},
        energy_j={
            "cpu.silver": 0.001,
            "cpu.gold": 0.003,
            "cpu.prime": 0.005,
            "gpu": 0.010,
            "dram": 0.004,
            "board": 0.010,
        },
        rails_j={"soc": 0.023, "board": 0.010},
        power={
            "cpu.silver": ComponentPower(0.1, 0.5),
            "cpu.gold": ComponentPower(0.1, 1.0),
            "cpu.prime": ComponentPower(0.1, 2.0),
            "gpu": ComponentPower(0.2, 1.6),
            "dram": ComponentPower(0.1, 0.0),
            "board": ComponentPower(1.0, 0.0),
        },
        frequencies={"cpu.gold": 2.42e9, "gpu": 585e6},
        clocks=(ClockRecord(0.0, "cpu.gold", 2.42e9), ClockRecord(0.0, "gpu", 585e6)),
        core_names=CORES,
        used=(
            EnergyRecord("app", "inference", "gpu", 0.008, 0.005),
            EnergyRecord("app", "inference", "cpu.gold", 0.002, 0.002),
            EnergyRecord("idle", "idle", "gpu", 0.002, 0.0),
            EnergyRecord("idle", "idle", "board", 0.010, 0.0),
        ),
        idle=(IdleRecord("gold", "off", "core", 1, 0.004, 2),),
        predictions=(
            PredictionRecord("app", "flops", "cpu", "softmax", 1, 0.05, -0.05, 1),
            PredictionRecord("app", "flops", "gpu", "winograd", 3, 0.75, 0.15, 0),
        ),
    )
    return replace(outcome, **more)


def many_inferences(
    latencies_ms: Iterable[float], *, app: str = "app", period_ms: float = 100.0
) -> tuple[InferenceRecord, ...]:
    """Finished inferences that arrive once a period."""
    arrivals = [(i, i * period_ms / 1e3, ms / 1e3) for i, ms in enumerate(latencies_ms)]
    return tuple(InferenceRecord(app, i, at, at, at + ms, "finished") for i, at, ms in arrivals)


def long_outcome(scheduler: str, kernels: int = 200, *, split: bool = False) -> Outcome:
    """One inference of many kernels in turn on GPU and CPU, for plots and big traces."""
    classes = ("winograd", "gemm", "direct", "depthwise", "pool", "eltwise", "softmax", "fc")
    records: list[KernelRecord] = []
    now = 0.0
    for i in range(kernels):
        op, cls, length = f"op{i}", classes[i * i % 8], 0.05 + (i * 37 % 11) * 0.04
        on_cpu = split or i % 10 == 9
        if i % 10 in (0, 9):
            source, target = ("cpu", "gpu") if i % 10 == 0 else ("gpu", "cpu")
            records += [sharing(op, "map", source, target, now, now + 0.08)]
            records += [sharing(op, "sync", source, target, now + 0.08, now + 0.3)]
            now += 0.3
        if i % 10 != 9:
            records.append(kernel(op, now, now + length, kernel_class=cls, share=0.7 if split else 1.0))
            records.append(
                kernel(
                    op,
                    now,
                    now + 0.02,
                    on="cpu",
                    cores=(3,),
                    kind="dispatch",
                    kernel_class="",
                    dram_bytes=0.0,
                )
            )
        if on_cpu:
            records.append(kernel(op, now, now + length * 0.9, on="cpu", cores=(2,), kernel_class=cls))
        now += length
    base = mixed_outcome()
    return replace(
        base,
        duration_s=now / 1e3,
        inferences=(InferenceRecord("app", 0, 0.0, 0.0, now / 1e3, "finished"),),
        kernels=tuple(records),
        apps={"app": app_record(scheduler=scheduler, model="resnet50")},
        busy_s={"cpu": 0.3 * now / 1e3, "gpu": 0.7 * now / 1e3},
    )


def strict_json(data: object) -> object:
    """Through JSON and back, refusing NaN and infinities."""
    return json.loads(json.dumps(data, allow_nan=False))
