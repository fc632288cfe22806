"""The command ``socsim``."""

from socsim.cli.main import main

__all__ = ["main"]
