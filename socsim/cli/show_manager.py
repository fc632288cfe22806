"""``socsim show manager``."""

from __future__ import annotations

import inspect
from typing import Any

import click

from socsim.cli.output import emit_json, json_option, show_fields

__all__ = ["show_manager"]


@click.command("manager", short_help="Show what a manager decides and how, and its options.")
@click.argument("name")
@json_option
def show_manager(name: str, as_json: bool) -> None:
    """Show a manager, by name or module:Class: what it decides, how, and its options."""
    about = _manager(name)
    if as_json:
        emit_json(about)
        return
    click.echo(f"{about['description'].replace('``', '`')}\n")
    options = ", ".join(f"{key}={value!r}" for key, value in about["options"].items())
    show_fields([("for", about["for"]), ("class", about["class"]), ("options", options or "none")])


def _manager(name: str) -> dict[str, Any]:
    from socsim.schedulers.managers import DeviceManager, make_manager
    from socsim.schedulers.managers.registry import managed

    manager = make_manager(name)
    cls, whole = type(manager), isinstance(manager, DeviceManager)
    named = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in named if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if whole:
        defaults.setdefault("period", None)
    return {
        "name": name,
        "for": managed(cls),
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "options": {key: _plain(getattr(manager, key, default)) for key, default in defaults.items()},
        "description": inspect.cleandoc(cls.__doc__ or ""),
    }


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
