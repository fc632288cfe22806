"""The same stream of inferences under several schedulers, managers and governors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from socsim.api import hertz, load_model, simulate
from socsim.describing import describe, describe_limits, written_step
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.results.repeated import RepeatedComparison
from socsim.results.result import Result
from socsim.schedulers.contenders import Contender, contenders, describe_decider
from socsim.schedulers.governors.sets import GovernorSet
from socsim.seeds import read_seeds
from socsim.simulation.governing import governor_sets
from socsim.simulation.setups import Setups
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily, is_family, load_family
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.targets import make_targets
from socsim.workloads.transforms import transform_set

__all__ = ["compare"]


def compare(
    device: Device | str | Path,
    model: ModelGraph | DynamicFamily | str,
    schedulers: Sequence[Any],
    *,
    governors: Any = None,
    limits: Mapping[str, Mapping[str, float | str]] | None = None,
    library: str = "mace",
    inferences: int = 50,
    period: float | str | None = None,
    dtype: str = "",
    cores: str = "",
    level: int | None = None,
    targets: Any = None,
    transforms: Sequence[Any] | None = None,
    accuracy: str | Path = "",
    noise: bool = False,
    seed: int | str | Sequence[int] = 0,
    kernels: bool = False,
) -> Comparison | RepeatedComparison:
    """Run the same stream of inferences under several schedulers, managers, and governors.

    Parameters
    ----------
    device, model, library, dtype, cores
        What runs on what; the model may be a family of networks, which schedulers that plan and managers run.
    schedulers
        Schedulers and managers: names, objects, classes, ``"module:Class"`` or ``{"name": ..., option: ...}``. What a
        manager manages runs on its :attr:`~socsim.Manager.runs_on`, else on the library's first accelerator.
    governors
        A set of governors for all, or a list of sets, each of which is run with every scheduler: a mapping, as for
        :func:`simulate` (``{"gpu": HalfLoad()}``), or names joined by ``+`` (``"schedutil+adreno_tz"``), each of which
        goes to the clock domains that it is for. None (default) leaves all clocks at their highest.
    limits
        Clocks that the user allows, for all of them, as for :func:`simulate`.
    inferences
        Number of inferences for each scheduler.
    period
        Time between arrivals in s or with a unit (``"100 ms"``); None runs back to back, without idle time, in which
        governors differ least.
    level
        Of a family, what schedulers run and managers begin with; None for the most accurate one.
    targets
        What managers are to reach: ``{"latency": "60 ms", "top1": 76}``, as of :class:`socsim.Inference`.
    transforms
        Sets of transforms of the network, each of which is run with every scheduler: ``["none", "prune(0.5)",
        "prune(0.5)+quantise"]``, or lists of transforms as of :func:`load_model`. None (default) for the network alone.
    accuracy
        A table of what transforms cost in accuracy, as of :func:`load_model`.
    noise, kernels
        As for :func:`simulate`.
    seed
        As for :func:`simulate`; or several (``"0..9"``, ``[1, 2, 5]``), with each of which everything is run. Runs of
        one seed have the same random numbers under all schedulers.

    Returns
    -------
    A comparison with ``rows``, ``table()``, ``render()`` and ``save(directory)``; with several seeds one of means,
    confidence intervals and paired differences, :class:`~socsim.results.repeated.RepeatedComparison`.
    """
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise UsageError(f"compare takes a list of schedulers, got {schedulers!r}; put it in brackets")
    seeds = read_seeds(seed)
    target = device if isinstance(device, Device) else load_device(device)
    network = _network(model, library)
    compared = _Compared(
        target, model, schedulers, _accelerator(target, library, network),
        _variants(network, transforms, accuracy),
        governor_sets(target, {} if governors is None else governors), hertz(limits), targets,
        {"library": library, "count": inferences, "period": period, "dtype": dtype, "cores": cores, "level": level},
        {"noise": noise, "kernels": kernels and len(seeds) == 1, "setups": Setups()},
    )  # fmt: skip
    compared.check()
    described = {
        "model": model if isinstance(model, str) else network.name,
        "schedulers": [describe_decider(s) for s in schedulers],
        **({} if governors is None else {"governors": [chosen.written for chosen in compared.sets]}),
        "library": library,
        "inferences": inferences,
        **({} if level is None else {"level": level}),
        **({} if transforms is None else {"transforms": [own.written for own in compared.variants]}),
        **({"accuracy": str(accuracy)} if accuracy else {}),
        **({} if targets is None else {"targets": [t.describe() for t in make_targets(targets).rows]}),
    }
    found = [compared.run(number, described, governed=governors is not None) for number in seeds]
    if len(found) == 1:
        return found[0]
    return RepeatedComparison(found, seeds, {**found[0].config, "seed": list(seeds)})


@dataclass(frozen=True)
class _Variant:
    """The network, or family, after one set of transforms."""

    network: ModelGraph | DynamicFamily
    steps: tuple[Any, ...] = ()
    accuracy: str = ""

    @property
    def written(self) -> str:
        """The transforms as comparison files have them."""
        return "+".join(written_step(step) for step in self.steps) or "none"


def _variants(
    network: ModelGraph | DynamicFamily, transforms: Sequence[Any] | None, accuracy: str | Path
) -> list[_Variant]:
    if isinstance(network, DynamicFamily):
        if transforms is not None:
            raise UsageError(
                "transforms are for one network; name a level of the family, such as dynamic_ofa@4"
            )
        return [_Variant(network, accuracy=str(accuracy))]
    base = load_model(network, accuracy=accuracy)
    steps = [()] if transforms is None else [_steps(chosen) for chosen in transforms]
    if not steps:
        raise UsageError("compare takes at least one set of transforms, which may be 'none', got none")
    return [
        _Variant(load_model(base, transforms=own, accuracy=accuracy), own, str(accuracy)) for own in steps
    ]


def _steps(chosen: Any) -> tuple[Any, ...]:
    """One set of transforms."""
    return transform_set(chosen) if isinstance(chosen, str) else tuple(chosen)


@dataclass(frozen=True)
class _Compared:
    """What is compared, before any seed.

    Parameters
    ----------
    device, model, schedulers
        As they were asked for, but for the device, which is loaded.
    accelerator
        What managers run on which do not say it themselves.
    variants, sets
        Networks and sets of governors that every scheduler runs with.
    limits
        Clocks in Hz that the user allows.
    targets
        What managers are to reach.
    stream
        What else all applications have in common.
    options
        Of every run.
    """

    device: Device
    model: ModelGraph | DynamicFamily | str
    schedulers: Sequence[Any]
    accelerator: str
    variants: Sequence[_Variant]
    sets: Sequence[GovernorSet]
    limits: Mapping[str, Mapping[str, float]]
    targets: Any
    stream: Mapping[str, Any]
    options: Mapping[str, Any]

    def check(self) -> None:
        """Refuse targets that nobody would look at."""
        if self.targets is None or self._targeted or any(row.device_manager for row in self._rows()):
            return
        raise UsageError(
            "targets are for families of networks, such as dynamic_ofa, and for managers of a whole device"
        )

    @property
    def _targeted(self) -> bool:
        return isinstance(self.variants[0].network, DynamicFamily)

    def _rows(self) -> list[Contender]:
        """Schedulers and managers that have not run yet, as far as they are not given as objects."""
        return contenders(self.schedulers, self.accelerator)

    def run(self, seed: int, described: Mapping[str, Any], *, governed: bool) -> Comparison:
        """Everything with one seed; `described` is the comparison as its file has it, but for that."""
        shared: dict[str, Any] = {"device": self.device.source or self.device.name, "seed": seed}
        shared["noise"] = self.options["noise"]
        shared |= {"limits": describe_limits(self.limits)} if self.limits else {}
        made = list(zip(*(self._rows() for _ in self.sets), strict=True))
        cases = [
            (variant, own, chosen)
            for variant in self.variants
            for rows in made
            for own, chosen in zip(rows, self.sets, strict=True)
        ]
        results = [self._result(*case, shared) for case in cases]
        options = _options(results[0].config["apps"][0]) if results else {}
        titles = [chosen.title for *_, chosen in cases] if governed else []
        named = [row.title for _, row, _ in cases] if any(row.manages for _, row, _ in cases) else []
        return Comparison(results, located({**shared, **described, **options}, Path.cwd()), titles, named)

    def _result(
        self, variant: _Variant, row: Contender, chosen: GovernorSet, shared: Mapping[str, Any]
    ) -> Result:
        """One run."""
        told = self.targets if self._targeted or row.device_manager else None
        app = Inference(variant.network, row.scheduler, manager=row.manager, targets=told, **self.stream)
        said = replace(app, model=self.model, transforms=variant.steps, accuracy=variant.accuracy)
        config = {**shared, **_config(row, chosen, said)}
        return simulate(
            self.device, [app], seed=shared["seed"], governors=chosen.governors, limits=self.limits,
            manager=row.device_manager, config=located(config, Path.cwd()), **self.options,
        )  # fmt: skip


def _config(row: Contender, chosen: GovernorSet, app: Inference) -> dict[str, Any]:
    """What of one run's experiment is its own."""
    in_app, beside = row.described
    governed = {"governors": chosen.described} if chosen.governors else {}
    return {**governed, **beside, "apps": [{**describe(app), **in_app}]}


def _network(model: ModelGraph | DynamicFamily | str, library: str) -> ModelGraph | DynamicFamily:
    """What is compared on; a family is not fused before its levels are."""
    if isinstance(model, DynamicFamily):
        return model
    if isinstance(model, str) and is_family(model):
        return load_family(model)
    return load_model(model, fuse=load_library(library).fuses)


def _accelerator(device: Device, library: str, network: ModelGraph | DynamicFamily) -> str:
    """The first accelerator that a library runs a network on, else the CPU."""
    graph = network.levels[-1].graph if isinstance(network, DynamicFamily) else network
    processors = Pricer(device, load_library(library), graph).processors
    return (*processors[1:], "cpu")[0]


def _options(app: Mapping[str, Any]) -> dict[str, Any]:
    return {key: app[key] for key in ("period", "dtype", "cores") if key in app}
