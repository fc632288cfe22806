"""Comparisons as files: what ``socsim compare`` leaves in its output directory can be run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from socsim import api, comparing, units, yamlfile
from socsim.errors import SocsimError, UsageError, nearest
from socsim.overrides import override_value, split_override
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.results.repeated import RepeatedComparison
from socsim.seeds import read_seeds
from socsim.words import counted
from socsim.workloads.dynamic import DynamicFamily, is_family, load_family
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.targets import make_targets
from socsim.workloads.transforms import canonical, load_drops, transform_set

__all__ = [
    "ComparisonSpec",
    "check_comparison",
    "is_comparison",
    "load_compared",
    "load_comparison",
    "run_comparison",
]

Count = Annotated[int, Field(strict=True, gt=0)]


def _time(text: str) -> str:
    if units.parse(text, "time") <= 0:
        raise ValueError("should be greater than 0")
    return text


def _clock(text: str) -> str:
    units.parse(text, "frequency")
    return text


def _transforms(text: str) -> str:
    try:
        canonical(transform_set(text))
    except SocsimError as error:
        raise ValueError(str(error)) from None
    return text


def _seeds(written: Any) -> Any:
    try:
        read_seeds(written)
    except (UsageError, TypeError) as error:
        raise ValueError(str(error)) from None
    return written


GovernorSet = str | dict[str, Any]
Limit = dict[Literal["min", "max"], Annotated[str, AfterValidator(_clock)]]


class ComparisonSpec(BaseModel):
    """What a comparison file says; fields as of :func:`socsim.compare`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str
    model: str
    schedulers: Annotated[list[str | dict[str, Any]], Field(min_length=1)]
    governors: Annotated[list[GovernorSet], Field(min_length=1)] | GovernorSet | None = None
    limits: dict[str, Limit] | None = None
    library: str = "mace"
    inferences: Count = 50
    period: Annotated[str, AfterValidator(_time)] | None = None
    dtype: Literal["", "fp32", "fp16", "int8"] = ""
    cores: str = ""
    level: Count | None = None
    targets: Any = None
    transforms: Annotated[list[Annotated[str, AfterValidator(_transforms)]], Field(min_length=1)] | None = (
        None
    )
    accuracy: str = ""
    noise: bool = False
    seed: Annotated[Any, AfterValidator(_seeds)] = 0
    shapes: dict[str, list[Count]] = {}
    fuse: bool = True

    @property
    def bounds(self) -> dict[str, dict[str, float]]:
        """Limits of clocks in Hz."""
        return {
            name: {key: units.parse(clock, "frequency") for key, clock in own.items()}
            for name, own in (self.limits or {}).items()
        }

    def network(self) -> ModelGraph | DynamicFamily:
        """Load the network, or the family, that is compared on."""
        shapes = {name: tuple(shape) for name, shape in self.shapes.items()}
        return load_compared(self.model, self.library, shapes, fuse=self.fuse)


def load_compared(
    model: str, library: str, shapes: Mapping[str, tuple[int, ...]], *, fuse: bool = True
) -> ModelGraph | DynamicFamily:
    """The network or the family that a comparison names.

    Parameters
    ----------
    model, library
        Its name or path, and what runs it.
    shapes
        Input name -> shape, for ONNX files.
    fuse
        False keeps the operators of a network apart even where the library fuses.

    Raises
    ------
    UsageError
        A family with shapes or kept apart: it has fixed shapes, and its library decides on the rest.
    """
    if not is_family(model):
        return api.load_model(model, shapes=shapes or None, fuse=fuse and load_library(library).fuses)
    if shapes or not fuse:
        what = "shapes are for ONNX files" if shapes else "whether operators are fused is for one network"
        raise UsageError(f"{what}; {model!r} is a family, of whose levels the library decides that")
    return load_family(model)


def is_comparison(path: str | Path) -> bool:
    """Whether a file is a comparison: it names ``schedulers`` instead of ``apps``.

    Raises
    ------
    FileError
        The file is no YAML mapping.
    """
    file = Path(path)
    return file.is_file() and "schedulers" in yamlfile.read(file).root.value


def load_comparison(path: str | Path, overrides: Iterable[str] = ()) -> ComparisonSpec:
    """Read a comparison file; paths in it are relative to it, paths of overrides to the working directory.

    Parameters
    ----------
    path
        Of the file.
    overrides
        ``key=value`` for keys at the top.

    Raises
    ------
    FileError
        Faults of the file.
    UsageError
        An override of a key that does not exist, or of a wrong value.
    """
    spec = yamlfile.validate(yamlfile.read(Path(path)), ComparisonSpec)
    changes = located(dict(_override(text) for text in overrides), Path.cwd())
    changed = {**located(spec.model_dump(), Path(path).parent), **changes}
    try:
        return ComparisonSpec.model_validate(changed)
    except ValidationError as error:
        loc, first = yamlfile.first_fault(changed, error)
        told = yamlfile.sentence(first, first["input"])
        raise UsageError(f"{path} with overrides: {yamlfile.dotted(loc)}: {told}") from None


def _override(text: str) -> tuple[str, Any]:
    key, value = split_override(text)
    if key not in ComparisonSpec.model_fields:
        guess = nearest(key, ComparisonSpec.model_fields)
        tail = f"did you mean {guess!r}?" if guess else f"it has {', '.join(ComparisonSpec.model_fields)}"
        raise UsageError(f"a comparison has no key {key!r}; {tail}")
    return key, override_value(value)


def check_comparison(path: str | Path) -> str:
    """Load everything that a comparison names; returns one phrase about it.

    Raises
    ------
    SocsimError
        Faults of the file, or of what it names.
    """
    from socsim.devices.profile import load_device
    from socsim.schedulers.contenders import make_decider
    from socsim.simulation.governing import check_limits, governor_sets

    spec = load_comparison(path)
    device = load_device(spec.device)
    if spec.cores:
        device.parse_cores(spec.cores)
    network = spec.network()
    if spec.level is not None:
        _check_level(network, spec.level)
    make_targets(spec.targets, units=True)
    if spec.accuracy:
        load_drops(spec.accuracy)
    load_library(spec.library)
    for scheduler in spec.schedulers:
        make_decider(scheduler)
    check_limits(device, spec.bounds)
    sets = [] if spec.governors is None else governor_sets(device, spec.governors)
    governed = f" with {counted(len(sets), 'set')} of governors" if sets else ""
    return f"comparison of {counted(len(spec.schedulers), 'scheduler')}{governed} on {spec.device}"


def _check_level(network: ModelGraph | DynamicFamily, level: int) -> None:
    if not isinstance(network, DynamicFamily):
        raise UsageError(f"level is for families of networks, and {network.name!r} is one network")
    network[level]


def run_comparison(
    path: str | Path, overrides: Iterable[str] = (), *, kernels: bool = False
) -> Comparison | RepeatedComparison:
    """Run a comparison file; ``kernels=True`` records every kernel."""
    spec = load_comparison(path, overrides)
    graph = spec.network()
    options: dict[str, Any] = spec.model_dump(exclude={"device", "model", "schedulers", "shapes", "fuse"})
    comparison = comparing.compare(spec.device, graph, spec.schedulers, **options, kernels=kernels)
    kept = spec.model_dump(include={"model", "shapes", "fuse"}, exclude_defaults=True)
    comparison.config.update(kept)
    return comparison
