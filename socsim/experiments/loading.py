"""From a file and overrides to an experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from socsim import yamlfile
from socsim.errors import UsageError
from socsim.experiments.experiment import Experiment, make_experiment
from socsim.experiments.files import read_experiment
from socsim.experiments.spec import ExperimentSpec, complaint
from socsim.overrides import parse_override, put
from socsim.results.inputs import located

__all__ = ["load_experiment", "overridden"]


def load_experiment(path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
    """Read an experiment file; paths in it are relative to it, paths of overrides to the working directory.

    Parameters
    ----------
    path
        A file, or the name of one that comes with socsim.
    overrides
        ``key=value`` with a dotted path into the file: ``seed=3``, ``apps.0.scheduler=gpu``,
        ``apps.detector.period=16 ms``.

    Raises
    ------
    FileError
        Faults of the file, all in one pass.
    UnknownNameError
        No file, and no experiment of that name.
    UsageError
        An override of a key that does not exist.
    """
    document = read_experiment(path)
    swept = document.data.get("sweep")
    if swept:
        raise UsageError(
            f"{document.path} is a sweep over {', '.join(swept)}; run it with 'socsim run' or socsim.sweep"
        )
    return make_experiment(document, overridden(document, map(parse_override, overrides)))


def overridden(document: yamlfile.Document, changes: Iterable[tuple[str, Any]] = ()) -> dict[str, Any]:
    """The content of a file with absolute paths and without its sweep, after changes of (key, value).

    Raises
    ------
    UsageError
        A change of a key that does not exist, or to a wrong value.
    """
    config = located(deepcopy(document.data), Path(document.path).parent)
    config.pop("sweep", None)
    changes = list(changes)
    for key, _ in changes:
        if key.split(".")[0] == "sweep":
            raise UsageError(f"{key!r}: a single experiment has no sweep; 'socsim run' and socsim.sweep do")
    typed = [(put(config, key, value), key) for key, value in changes]
    if typed:
        config = located(config, Path.cwd())
        _revalidate(config, document.path, typed)
    return config


def _revalidate(
    config: Mapping[str, Any], file: str, typed: Iterable[tuple[yamlfile.Loc, str]]
) -> ExperimentSpec:
    """Check the content after overrides; its faults are the overrides'."""
    try:
        return ExperimentSpec.model_validate(config)
    except ValidationError as error:
        loc, first = yamlfile.first_fault(config, error)
        raise UsageError(f"{file} with overrides: {complaint(_as_typed(loc, typed), first)}") from None


def _as_typed(loc: yamlfile.Loc, typed: Iterable[tuple[yamlfile.Loc, str]]) -> str:
    """A place in the file as the user wrote it in an override."""
    for own, key in typed:
        if loc[: len(own)] == own:
            return ".".join([key, *(str(part) for part in loc[len(own) :])])
    return yamlfile.dotted(loc)
