"""A whole parameter set: what was fitted, and what is expected of kernel classes that no network showed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from socsim.calibration.algorithms import algorithm
from socsim.calibration.priors import class_rate, serial_prior
from socsim.calibration.values import Values
from socsim.devices.device import Calibration, Cluster, KernelRate
from socsim.workloads.library import Library

__all__ = ["complete", "library_classes"]


def library_classes(library: Library, processor: str) -> tuple[str, ...]:
    """Kernel classes that a library may use on a processor, and ``other``."""
    found = (
        rule.result[0] for rule in library.classes if not rule.processors or processor in rule.processors
    )
    return tuple(sorted({*found, "other"}))


def complete(
    library: Library, key: tuple[str, str, str, str], values: Values, fastest: Cluster
) -> Calibration:
    """The parameter set as the simulator takes it.

    Parameters
    ----------
    key
        Library, processor, dtype, layout.
    values
        What was fitted.
    fastest
        The device's fastest core: rates on the CPU are told of its cluster, or of the first that was measured.
    """
    found = values.calibration(key)
    missing = set(library_classes(library, key[1])) - set(values.classes)
    rates = {**found.kernels, **dict(_expected(key, missing, fastest))}
    return replace(
        found, kernels={name: _as_computed(key, name, rates[name], fastest) for name in sorted(rates)}
    )


def _as_computed(key: tuple[str, str, str, str], name: str, rate: KernelRate, fastest: Cluster) -> KernelRate:
    way = algorithm(*key[:3], name, fastest)
    return replace(rate, tile=way.tile, weights=way.weights)


def _expected(
    key: tuple[str, str, str, str], classes: Iterable[str], core: Cluster
) -> Iterable[tuple[str, KernelRate]]:
    library, processor, dtype, _ = key
    for name in classes:
        prior = class_rate(library, processor, dtype, name)
        lanes = algorithm(library, processor, dtype, name, core).lanes
        if processor != "cpu":
            yield name, KernelRate(prior.share, half_work=3e4)
        else:
            serial = 0.95 if serial_prior(library, dtype, name) else 0.1
            yield name, KernelRate(prior.efficiency(core, dtype) * lanes, serial_share=serial)
