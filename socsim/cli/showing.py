"""``socsim show``."""

from __future__ import annotations

import click

from socsim.cli.show_device import show_device
from socsim.cli.show_family import show_family
from socsim.cli.show_governor import show_governor
from socsim.cli.show_library import show_library
from socsim.cli.show_manager import show_manager
from socsim.cli.show_model import show_model
from socsim.cli.show_scheduler import show_scheduler

__all__ = ["show"]


@click.group(short_help="Show one device, model, scheduler or other thing.")
def show() -> None:
    """Show one device, model, family, library, scheduler, governor or manager."""


for _command in (
    show_device,
    show_model,
    show_family,
    show_library,
    show_scheduler,
    show_governor,
    show_manager,
):
    show.add_command(_command)
