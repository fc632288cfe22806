"""``socsim show scheduler``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import click

from socsim.cli.output import emit_json, json_option, show_fields

__all__ = ["show_scheduler"]


@click.command("scheduler", short_help="Show what a scheduler does, and its options.")
@click.argument("name")
@json_option
def show_scheduler(name: str, as_json: bool) -> None:
    """Show a scheduler, by name or module:Class: what it does, and its options."""
    from socsim.schedulers.predictors import predictor_names, predictor_title
    from socsim.schedulers.registry import SCHEDULERS, make_scheduler

    scheduler = make_scheduler(name)
    cls = type(scheduler)
    parameters = inspect.signature(cls).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    spec = scheduler.predictor
    predictor = spec if isinstance(spec, (str, Mapping)) else predictor_title(spec)
    times = {key: getattr(scheduler, key) for key in SCHEDULERS.common(cls) if key != "predictor"}
    common = {"predictor": predictor, **times}
    options = common | {p.name: _plain(getattr(scheduler, p.name, _default(p))) for p in named}
    times_ms = {f"{key}_ms": time * 1e3 for key, time in times.items()}
    about = {
        "name": name,
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "kind": _base_name(cls),
        "options": options,
        "predictor": predictor,
        **times_ms,
        "description": inspect.cleandoc(cls.__doc__ or ""),
    }
    if as_json:
        emit_json(about)
        return
    click.echo(f"{str(about['description']).replace('``', '`')}\n")
    fields = [(key, about[key]) for key in ("class", "kind", "predictor", *times_ms)]
    fields.append(("options", ", ".join(f"{k}={v!r}" for k, v in options.items())))
    show_fields([*fields, ("predictors", ", ".join(predictor_names()))])


def _default(parameter: inspect.Parameter) -> object:
    return "required" if parameter.default is parameter.empty else parameter.default


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)


def _base_name(cls: type) -> str:
    from socsim.schedulers import base

    kinds = (base.SplitScheduler, base.StaticScheduler, base.OnlineScheduler)
    return next((kind.__name__ for kind in kinds if issubclass(cls, kind)), cls.__name__)
