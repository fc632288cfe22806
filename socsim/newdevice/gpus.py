"""Models of GPUs and the like: their families, and what is publicly known of their width."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from socsim.errors import UnknownNameError, UsageError

__all__ = ["Family", "family_of", "known_models", "lanes_of", "model_title"]


@dataclass(frozen=True, slots=True)
class Family:
    """What models have in common.

    Parameters
    ----------
    maker
        ``"adreno"``, ``"mali"``, ``"powervr"``, ``"nvidia"``, ``"hexagon"``, or the first word of a model's name.
    generation
        Models of one generation compute alike.
    """

    maker: str
    generation: str


_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"adreno[- ]?([3-8])\d\d", Family("adreno", "")),
    (r"mali-?t\d", Family("mali", "midgard")),
    (r"mali-?g(31|51|52|71|72|76)\b", Family("mali", "bifrost")),
    (r"mali-?g\d", Family("mali", "valhall")),
    (r"immortalis", Family("mali", "valhall")),
    (r"powervr", Family("powervr", "rogue")),
    (r"maxwell|gm20b", Family("nvidia", "maxwell")),
    (r"pascal|gp10b", Family("nvidia", "pascal")),
    (r"volta|gv11b", Family("nvidia", "volta")),
    (r"ampere|ga10b", Family("nvidia", "ampere")),
    (r"hexagon", Family("hexagon", "")),
)

_LANES: Mapping[str, float] = MappingProxyType(
    {
        "adreno-630": 512,
        "adreno-640": 768,
        "adreno-643": 512,
        "adreno-650": 1024,
        "adreno-660": 1024,
        "adreno-740": 1536,
        "powervr-ge8320": 32,
        "maxwell-gm20b": 128,
        "volta-gv11b": 384,
        "ampere-ga10b": 2048,
    }
)
"""Multiply-accumulates in fp32 per cycle of whole GPUs, as in the profiles that ship; an Adreno 643's by clpeak."""

_PER_CORE: Mapping[str, float] = MappingProxyType(
    {
        "mali-t628": 16,
        "mali-t760": 16,
        "mali-t860": 7.2,
        "mali-g71": 12,
        "mali-g72": 12,
        "mali-g52": 24,
        "mali-g57": 32,
        "mali-g68": 32,
        "mali-g76": 24,
        "mali-g77": 32,
        "mali-g78": 32,
        "mali-g610": 64,
        "mali-g710": 64,
    }
)
"""The same of one core, where the number of cores is part of the name (``mali-g76-mp12``)."""


def family_of(model: str) -> Family:
    """The family of a model, by its name."""
    text = model.lower()
    for pattern, family in _FAMILIES:
        if found := re.search(pattern, text):
            generation = family.generation or "".join(found.groups())
            return Family(family.maker, generation)
    return Family(text.split()[0], "")


def known_models() -> list[str]:
    """Names of models whose width is known, Mali's with a number of cores."""
    return sorted([*_LANES, *(f"{name}-mp4" for name in _PER_CORE)])


def lanes_of(model: str) -> float:
    """Multiply-accumulates in fp32 per cycle.

    Parameters
    ----------
    model
        ``"adreno-640"``, ``"mali-g76-mp12"``.

    Raises
    ------
    UnknownNameError
        No such model is known; the nearest name is told.
    UsageError
        A Mali without its number of cores.
    """
    text = model.strip().lower()
    if text in _LANES:
        return _LANES[text]
    name, _, cores = text.partition("-mp")
    if name in _PER_CORE and cores.isdigit() and int(cores):
        return _PER_CORE[name] * int(cores)
    if text in _PER_CORE:
        raise UsageError(f"GPU {model!r} needs its number of cores, such as '{text}-mp4'")
    raise UnknownNameError(
        "GPU", model, known_models(), "Or give its multiply-accumulates in fp32 per cycle after its clock."
    )


def model_title(model: str) -> str:
    """A model's name as profiles write it: ``"Adreno 640"``, ``"Mali-G76 MP12"``."""
    maker, _, rest = model.strip().partition("-")
    if maker.lower() != "mali":
        return f"{'PowerVR' if maker.lower() == 'powervr' else maker.capitalize()} {rest.upper()}".strip()
    return f"Mali-{rest.upper().replace('-MP', ' MP')}"
