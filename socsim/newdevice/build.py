"""Blocks of a device file, made into a device without a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from socsim.devices.device import Device
from socsim.devices.profile import load_device

__all__ = ["built"]


def built(blocks: dict[str, Any]) -> Device:
    """The device that blocks describe, by the rules that hold for files."""
    import yaml

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.yaml"
        path.write_text(yaml.safe_dump(blocks, sort_keys=False), encoding="utf-8")
        return load_device(path)
