"""Which networks are of one design: what cross-validation keeps together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from socsim.calibration.tables import Row
from socsim.measurements import measured_networks

__all__ = ["families_of", "family_of", "row_families"]


def row_families(rows: Iterable[Row]) -> Mapping[str, str]:
    """Network -> family: as a row says, else as :func:`families_of`."""
    told: dict[str, str] = {}
    for row in rows:
        told[row.model] = told.get(row.model) or row.family
    return {**families_of(told), **{model: family for model, family in told.items() if family}}


def families_of(models: Iterable[str]) -> Mapping[str, str]:
    """Network -> family: as the tables that come with socsim say, else by its name."""
    known = {network.model: network.family for network in measured_networks()}
    return {model: known.get(model) or family_of(model) for model in models}


def family_of(model: str) -> str:
    """The family that a name tells: its letters before the first number, but for the version (``mobilenet_v2``)."""
    match = re.match(r"[A-Za-z_-]*?(?:_?v\d+(?=_|$))|[A-Za-z_-]+", model)
    return match[0].strip("_-").lower() if match and match[0].strip("_-") else model
