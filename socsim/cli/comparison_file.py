"""Comparisons as files: what ``socsim compare`` leaves in its output directory can be run again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from socsim import api, units, yamlfile
from socsim.errors import UsageError, nearest
from socsim.overrides import override_value, split_override
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.results.repeated import RepeatedComparison
from socsim.seeds import read_seeds
from socsim.words import counted
from socsim.workloads.graph import ModelGraph

__all__ = ["ComparisonSpec", "check_comparison", "is_comparison", "load_comparison", "run_comparison"]

Count = Annotated[int, Field(strict=True, gt=0)]


def _time(text: str) -> str:
    if units.parse(text, "time") <= 0:
        raise ValueError("should be greater than 0")
    return text


def _seeds(written: Any) -> Any:
    try:
        read_seeds(written)
    except (UsageError, TypeError) as error:
        raise ValueError(str(error)) from None
    return written


GovernorSet = str | dict[str, Any]


class ComparisonSpec(BaseModel):
    """What a comparison file says; fields as of :func:`socsim.compare`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str
    model: str
    schedulers: Annotated[list[str | dict[str, Any]], Field(min_length=1)]
    governors: Annotated[list[GovernorSet], Field(min_length=1)] | GovernorSet | None = None
    library: str = "mace"
    inferences: Count = 50
    period: Annotated[str, AfterValidator(_time)] | None = None
    dtype: Literal["", "fp32", "fp16", "int8"] = ""
    cores: str = ""
    noise: bool = False
    seed: Annotated[Any, AfterValidator(_seeds)] = 0
    shapes: dict[str, list[Count]] = {}
    fuse: bool = True

    def network(self) -> ModelGraph:
        """Load the network that is compared on."""
        shapes = {name: tuple(shape) for name, shape in self.shapes.items()}
        from socsim.workloads.library import load_library

        fuse = self.fuse and load_library(self.library).fuses
        return api.load_model(self.model, shapes=shapes or None, fuse=fuse)


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
    try:
        return ComparisonSpec.model_validate({**located(spec.model_dump(), Path(path).parent), **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path} with overrides: {key}: {yamlfile.sentence(first, first['input'])}"
        ) from None


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
    from socsim.schedulers.registry import make_scheduler
    from socsim.simulation.governing import governor_sets
    from socsim.workloads.library import load_library

    spec = load_comparison(path)
    device = load_device(spec.device)
    if spec.cores:
        device.parse_cores(spec.cores)
    spec.network()
    load_library(spec.library)
    for scheduler in spec.schedulers:
        make_scheduler(scheduler)
    sets = [] if spec.governors is None else governor_sets(device, spec.governors)
    governed = f" with {counted(len(sets), 'set')} of governors" if sets else ""
    return f"comparison of {counted(len(spec.schedulers), 'scheduler')}{governed} on {spec.device}"


def run_comparison(
    path: str | Path, overrides: Iterable[str] = (), *, kernels: bool = False
) -> Comparison | RepeatedComparison:
    """Run a comparison file; ``kernels=True`` records every kernel."""
    spec = load_comparison(path, overrides)
    graph = spec.network()
    options: dict[str, Any] = spec.model_dump(exclude={"device", "model", "schedulers", "shapes", "fuse"})
    comparison = api.compare(spec.device, graph, spec.schedulers, **options, kernels=kernels)
    kept = spec.model_dump(include={"model", "shapes", "fuse"}, exclude_defaults=True)
    comparison.config.update(kept)
    return comparison
