"""``socsim show scheduler``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import click

from socsim.cli.output import emit_json, json_option, show_fields

__all__ = ["show_scheduler"]


@click.command("scheduler")
@click.argument("name")
@json_option
def show_scheduler(name: str, as_json: bool) -> None:
    """Show a scheduler, by name or module:Class: what it does, and its options."""
    from socsim.schedulers.predictors import predictor_names, predictor_title
    from socsim.schedulers.registry import common_options, make_scheduler

    scheduler = make_scheduler(name)
    cls = type(scheduler)
    options = {p.name: _default(p) for p in list(inspect.signature(cls.__init__).parameters.values())[1:]}
    common, spec = common_options(cls), scheduler.predictor
    periods = {f"{key}_ms": getattr(scheduler, key) * 1e3 for key in common if key != "predictor"}
    about = {
        "name": name,
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "kind": _base_name(cls),
        "options": options,
        "predictor": spec if isinstance(spec, (str, Mapping)) else predictor_title(spec),
        **periods,
        "description": inspect.cleandoc(cls.__doc__ or ""),
    }
    if as_json:
        emit_json(about)
        return
    click.echo(f"{about['description']}\n")
    fields = [(key, about[key]) for key in ("class", "kind", "predictor", *periods)]
    fields.append(("options", ", ".join(f"{k}={v!r}" for k, v in options.items()) or "none"))
    fields.append(("also", f"{', '.join(common)}; predictors are {', '.join(predictor_names())}"))
    show_fields(fields)


def _default(parameter: inspect.Parameter) -> object:
    return "required" if parameter.default is parameter.empty else parameter.default


def _base_name(cls: type) -> str:
    from socsim.schedulers import base

    kinds = (base.SplitScheduler, base.StaticScheduler, base.OnlineScheduler)
    return next((kind.__name__ for kind in kinds if issubclass(cls, kind)), cls.__name__)
