"""``socsim list``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.list_devices import HEADERS, NOTE, device_cells
from socsim.cli.output import emit_json, emit_table, json_option

if TYPE_CHECKING:
    from socsim.schedulers.catalogue import Catalogue

__all__ = ["list_things"]

Row = dict[str, Any]


def _devices() -> list[Row]:
    from socsim.cli.list_devices import device_rows

    return device_rows()


def _models() -> list[Row]:
    from socsim.workloads.zoo import describe_model, model_names

    rows = []
    for name in model_names():
        description, sizes = describe_model(name)
        rows.append({"name": name, "description": description, "sizes": sizes})
    return rows


def _libraries() -> list[Row]:
    from socsim.workloads.library import library_names

    return [{"name": name} for name in library_names()]


def _families() -> list[Row]:
    from socsim.workloads.dynamic import family_names, load_family

    families = (load_family(name) for name in family_names())
    return [{"name": f.name, "description": f.title, "levels": len(f)} for f in families]


def _schedulers() -> list[Row]:
    from socsim.schedulers.registry import SCHEDULERS

    faults = SCHEDULERS.broken()
    return [
        {"name": name, **({"fault": faults[name]} if name in faults else {})} for name in SCHEDULERS.names()
    ]


def _governors() -> list[Row]:
    from socsim.schedulers.governors.registry import GOVERNORS

    return _offered(GOVERNORS)


def _managers() -> list[Row]:
    from socsim.schedulers.managers.registry import MANAGERS, managed

    return _offered(MANAGERS, lambda cls: {"for": managed(cls) if cls else ""})


def _reuse() -> list[Row]:
    from socsim.schedulers.reuse.registry import REUSE

    return _offered(REUSE)


def _offered(catalogue: Catalogue[Any], more: Callable[[type | None], Row] = lambda cls: {}) -> list[Row]:
    """Names with what their classes say of themselves, or why they cannot be loaded."""
    faults = catalogue.broken()
    classes = {name: None if name in faults else catalogue.class_of(name) for name in catalogue.names()}
    return [
        {
            "name": name,
            **more(cls),
            "description": _first_line(cls) if cls else "",
            **({} if cls else {"fault": faults[name]}),
        }
        for name, cls in classes.items()
    ]


def _first_line(cls: object) -> str:
    """The first line of a class's or a function's docstring, empty where it has none."""
    return next(iter((cls.__doc__ or "").strip().splitlines()), "")


def _experiments() -> list[Row]:
    from socsim.experiments import describe_experiment, experiment_names

    return [{"name": name, "description": describe_experiment(name)} for name in experiment_names()]


def _transforms() -> list[Row]:
    from socsim.workloads.transforms import TRANSFORMS

    return [{"name": name, "description": _first_line(made)} for name, made in TRANSFORMS.items()]


def _predictors() -> list[Row]:
    from socsim.schedulers.predictors import predictor_class, predictor_names

    return [{"name": name, "description": _first_line(predictor_class(name))} for name in predictor_names()]


_KINDS: dict[str, Callable[[], list[Row]]] = {
    "devices": _devices,
    "models": _models,
    "transforms": _transforms,
    "families": _families,
    "libraries": _libraries,
    "schedulers": _schedulers,
    "predictors": _predictors,
    "governors": _governors,
    "managers": _managers,
    "reuse": _reuse,
    "experiments": _experiments,
}

_DESCRIBED = {
    "transforms": "what it does",
    "families": "what its networks are",
    "predictors": "what it believes",
    "governors": "what it does",
    "managers": "what it does",
    "reuse": "what is used again",
    "experiments": "what it asks",
}
"""Kinds whose rows have a description, and what its column is called."""


@click.command("list", short_help="List what comes with socsim.")
@click.argument("kind", type=click.Choice(list(_KINDS)))
@json_option
def list_things(kind: str, as_json: bool) -> None:
    """List what comes with socsim: devices, models, families, libraries, schedulers, governors, managers and so on."""
    rows = _KINDS[kind]()
    if as_json:
        emit_json(rows)
    elif kind == "devices":
        emit_table(HEADERS, [device_cells(row) for row in rows])
        click.echo(NOTE)
    elif kind == "models":
        emit_table(("name", "sizes", "what it is"), [_model_cells(row) for row in rows])
        click.echo(
            "Sizes follow the name: mobilenet_v1_0.5_160 has half the channels, and images of 160 pixels."
        )
    elif kind in _DESCRIBED:
        whom = ("for",) if kind == "managers" else ()
        emit_table(("name", *whom, _DESCRIBED[kind]), [_described_cells(row, *whom) for row in rows])
    else:
        click.echo(
            "\n".join(
                f"{row['name']}  (unusable: {row['fault']})" if "fault" in row else row["name"]
                for row in rows
            )
        )


def _described_cells(row: Row, *more: str) -> tuple[str, ...]:
    own = (row["name"], *(row[key] for key in more))
    return (*own, f"(unusable: {row['fault']})" if "fault" in row else row["description"])


def _model_cells(row: Row) -> tuple[str, ...]:
    """Cells of a network, its description without the paper and other detail."""
    return (row["name"], ", ".join(row["sizes"]), re.split(r" \(|[,:;] ", row["description"])[0])
