"""Experiment files: the ones that come with socsim, and reading one."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

from socsim import yamlfile
from socsim.errors import UnknownNameError
from socsim.experiments.spec import ExperimentSpec
from socsim.resources import data_dir

__all__ = ["describe_experiment", "experiment_names", "read_experiment"]


def experiment_names() -> list[str]:
    """Names of the experiments that come with socsim."""
    return sorted(path.stem for path in data_dir("experiments").glob("*.yaml"))


def read_experiment(path: str | Path) -> yamlfile.Document:
    """Read and validate an experiment file or the name of one, its sweep aside; raises as :func:`load_experiment`."""
    document = yamlfile.read(_find(path))
    yamlfile.validate(document, ExperimentSpec)
    return document


def describe_experiment(path: str | Path) -> str:
    """The first sentence of the comment that a file begins with; empty without one."""
    lines = _find(path).read_text(encoding="utf-8").splitlines()
    comment = " ".join(
        line.removeprefix("#").strip() for line in takewhile(lambda x: x.startswith("#"), lines)
    )
    return re.split(r"(?<=[.?!])\s", comment, maxsplit=1)[0]


def _find(path: str | Path) -> Path:
    file = Path(path)
    if file.suffix or (str(path) and file.exists()):
        return file
    if str(path) not in experiment_names():
        raise UnknownNameError(
            "experiment", str(path), experiment_names(), "(or give the path of a .yaml file)"
        )
    return data_dir("experiments") / f"{path}.yaml"
