"""The common task: 1,000 jobs, one every 5 ms, each of 50 tasks in a chain or in layers, on three processors.

A task is placed, when it becomes ready, where it finishes earliest. A transfer starts as its producer finishes.
Four engines agree on a mean job latency of 3311 us (chain) and 2467 us (layered).
"""

from __future__ import annotations

import json
from pathlib import Path

import socsim
from socsim.results.result import Result
from socsim.workloads.graph import ModelGraph, Operator, Tensor

__all__ = ["GOLDEN_LATENCY_US", "graph", "run"]

GOLDEN_LATENCY_US = {"chain": 3311.0, "layered": 2467.0}
"""Mean latency of a job in microseconds."""

_HERE = Path(__file__).parent


def graph(kind: str) -> ModelGraph:
    """The job's 50 tasks, ``"chain"`` or ``"layered"``; a task's MACs are its units of work."""
    data = json.loads((_HERE / f"{kind}.json").read_text())
    operators = [
        Operator(f"t{i}", "task", tuple(f"d{p}" for p in before), (f"d{i}",), macs=work)
        for i, (work, before) in enumerate(zip(data["w"], data["preds"], strict=True))
    ]
    return ModelGraph(kind, operators, [Tensor(f"d{i}", (1,)) for i in range(data["n"])], [], [])


def run(kind: str, jobs: int = 1000) -> Result:
    """Simulate it under the greedy scheduler."""
    app = socsim.Inference(
        graph(kind), scheduler="greedy", library=str(_HERE / "tasks.yaml"), period="5 ms", count=jobs
    )
    return socsim.simulate(str(_HERE / "device.yaml"), [app])
