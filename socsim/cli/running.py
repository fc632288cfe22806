"""``socsim run``."""

from __future__ import annotations

from pathlib import Path

import click

from socsim.cli.comparing import report, report_options, saved
from socsim.cli.output import emit_json, emit_table

__all__ = ["run"]
