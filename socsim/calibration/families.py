"""Which networks are of one design: what cross-validation keeps together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from socsim.calibration.tables import Row
from socsim.measurements import measured_networks

__all__ = ["family_of", "row_families"]


def row_families(rows: Iterable[Row]) -> Mapping[str, str]:
    """Network -> family: as a row says, else as the tables that come with socsim do, else by its name."""
    known = {network.model: network.family for network in measured_networks()}
    return {row.model: row.family or known.get(row.model) or family_of(row.model) for row in rows}


def family_of(model: str) -> str:
    """The family that a name tells: its letters before the first number, but for the version (``mobilenet_v2``)."""
    match = re.match(r"[A-Za-z_-]*?(?:_?v\d+(?=_|$))|[A-Za-z_-]+", model)
    return match[0].strip("_-").lower() if match and match[0].strip("_-") else model
