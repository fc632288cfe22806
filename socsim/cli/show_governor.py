"""``socsim show governor``."""

from __future__ import annotations

import inspect
from typing import Any

import click

from socsim.cli.output import emit_json, json_option, show_fields

__all__ = ["show_governor"]


@click.command("governor", short_help="Show what a governor does, and its options.")
@click.argument("name")
@json_option
def show_governor(name: str, as_json: bool) -> None:
    """Show a governor, by name or module:Class: what it does, and its options."""
    about = _governor(name)
    if as_json:
        emit_json(about)
        return
    click.echo(f"{about['description'].replace('``', '`')}\n")
    options = ", ".join(f"{key}={value!r}" for key, value in about["options"].items())
    kinds = ", ".join(about["kinds"])
    show_fields(
        [
            ("class", about["class"]),
            ("is asked", _WHEN[about["trigger"]]),
            ("for domains", kinds),
            ("options", options or "none"),
        ]
    )


_WHEN = {
    "timer": "after its period",
    "scheduler": "whenever what runs on its CPUs changes, and at each tick",
    "busy": "at each start and end of work",
    "limits": "when its limits change",
}


def _governor(name: str) -> dict[str, Any]:
    from socsim.schedulers.governors.registry import GOVERNORS, make_governor

    governor = make_governor(name)
    cls = type(governor)
    named = [
        p
        for p in inspect.signature(cls).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    defaults = {p.name: p.default for p in named} | dict.fromkeys(GOVERNORS.common(cls), "")
    return {
        "name": name,
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "trigger": governor.trigger,
        "kinds": list(governor.kinds),
        "options": {key: _plain(getattr(governor, key, default)) for key, default in defaults.items()},
        "description": inspect.cleandoc(cls.__doc__ or ""),
    }


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
