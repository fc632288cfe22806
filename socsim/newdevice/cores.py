"""Types of CPU cores: what is publicly known of them, and how near they are to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from socsim.errors import UnknownNameError

__all__ = ["CORES", "Core", "core_named", "distance"]


@dataclass(frozen=True, slots=True)
class Core:
    """A type of CPU core.

    Parameters
    ----------
    name
        As profiles spell it (``"cortex-a76"``).
    kind
        ``"in order"``, ``"out of order"``, ``"largest"`` (Cortex-X and its like) or ``"own"`` (not by ARM).
    step
        Place among those of its kind, oldest first; fractions for variants.
    coremark
        CoreMark per MHz: how fast plain code is.
    fp32, int8
        Peak multiply-accumulates per cycle.
    fp16
        The same; 0 for cores without instructions for it.
    """

    name: str
    kind: str
    step: float
    coremark: float
    fp32: float
    fp16: float
    int8: float

    @property
    def macs_per_cycle(self) -> dict[str, float]:
        """Peak multiply-accumulates per cycle, by data type."""
        rates = {"fp32": self.fp32, "fp16": self.fp16, "int8": self.int8}
        return {dtype: rate for dtype, rate in rates.items() if rate}


# CoreMark per MHz: A53, A55, A75 to A78, X1 and Exynos M4 as measured (kdrag0n/freqbench), the others by judgement.
# fp32: as measured from A53 to X3 (hiroog/vfpbench); fp16 twice fp32 from ARMv8.2 on; int8 four times fp32 with
# instructions for dot products, twice without.
_TABLE = """
cortex-a7      in order      0     2.4   1    0   2
cortex-a35     in order      0.5   2.7   2    0   4
cortex-a53     in order      1     3.24  4    0   8
cortex-a55     in order      2     3.71  4    8   16
cortex-a510    in order      3     4.0   8    16  32
cortex-a520    in order      4     4.3   8    16  32
cortex-a15     out of order  0     4.0   4    0   8
cortex-a57     out of order  1     4.3   4    0   8
cortex-a72     out of order  2     4.7   4    0   8
cortex-a73     out of order  3     4.9   4    0   8
cortex-a75     out of order  4     6.2   4    8   16
cortex-a76     out of order  5     7.79  8    16  32
cortex-a76ae   out of order  5.1   7.79  8    16  32
cortex-a77     out of order  6     8.47  8    16  32
cortex-a78     out of order  7     9.1   8    16  32
cortex-a78ae   out of order  7.1   9.1   8    16  32
cortex-a78c    out of order  7.2   9.1   8    16  32
cortex-a710    out of order  8     9.3   8    16  32
cortex-a715    out of order  9     9.6   8    16  32
cortex-a720    out of order  10    9.9   8    16  32
cortex-x1      largest       0     9.28  8.5  17  34
cortex-x2      largest       1     9.8   10   20  40
cortex-x3      largest       2     10.3  12   24  48
cortex-x4      largest       3     10.8  12   24  48
exynos-m3      own           3     7.3   12   0   24
exynos-m4      own           4     8.07  12   24  48
exynos-m5      own           5     8.5   12   24  48
carmel         own           5     8.0   8    16  16
"""


def _core(line: str) -> Core:
    name, rest = line.split(maxsplit=1)
    *kind, step, coremark, fp32, fp16, int8 = rest.split()
    return Core(name, " ".join(kind), *map(float, (step, coremark, fp32, fp16, int8)))


CORES: Mapping[str, Core] = MappingProxyType(
    {core.name: core for core in map(_core, _TABLE.strip().splitlines())}
)
"""The types that are known."""

_KIND, _STEP = 1.0, 0.5
"""Distance between two types of one kind, and for each step between them."""

_OTHER: Mapping[frozenset[str], float] = MappingProxyType(
    {
        frozenset({"out of order", "largest"}): 2.0,
        frozenset({"out of order", "own"}): 2.0,
        frozenset({"largest", "own"}): 2.0,
    }
)
"""Distance between kinds; 5 from those that issue in order to all others."""


def core_named(name: str) -> Core:
    """The core of a name, whatever its case.

    Raises
    ------
    UnknownNameError
        No such type is known; the nearest name is told.
    """
    found = CORES.get(name.strip().lower())
    if found is None:
        raise UnknownNameError("core", name, CORES)
    return found


def distance(one: Core, other: Core) -> float:
    """How far two types are apart: 0 for the same, below 5 for those that issue alike."""
    if one.name == other.name:
        return 0.0
    if one.kind == other.kind:
        return _KIND + _STEP * abs(one.step - other.step)
    years = _STEP * abs(one.coremark - other.coremark)
    return _OTHER.get(frozenset({one.kind, other.kind}), 5.0) + years
