"""Seeds as people write them: one, a range, or a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from socsim.errors import UsageError

__all__ = ["read_seeds"]

_RANGE = re.compile(r"\s*([0-9]+)\s*\.\.\s*([0-9]+)\s*")
_MOST = 1_000_000
"""Seeds that one text may stand for: a slip of the finger fills no memory."""
_FORMS = "seeds are a whole number from 0, a range such as 0..9, or several between commas"


def read_seeds(written: int | str | Sequence[int]) -> tuple[int, ...]:
    """All seeds of ``3``, ``"3"``, ``"0..9"`` (both ends included), ``"1,2,5"`` or ``[1, 2, 5]``, in order.

    Raises
    ------
    UsageError
        Something else, a range that runs backwards or is longer than a million, none at all, or one twice.
    """
    if isinstance(written, str):
        seeds = [seed for part in written.split(",") for seed in _part(part, written)]
    else:
        seeds = [written] if isinstance(written, int) else list(written)
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(f"{_FORMS}; got {written!r}")
    if not seeds:
        raise UsageError(f"{_FORMS}; got none")
    if len(set(seeds)) < len(seeds):
        twice = next(seed for i, seed in enumerate(seeds) if seed in seeds[:i])
        raise UsageError(f"seed {twice} is there twice in {written!r}, and would only say the same again")
    return tuple(seeds)


def _part(text: str, written: str) -> Sequence[int]:
    match = _RANGE.fullmatch(text)
    if match:
        first, last = int(match[1]), int(match[2])
        if first > last:
            raise UsageError(f"the range {first}..{last} runs backwards; write {last}..{first}")
        if last - first >= _MOST:
            raise UsageError(
                f"the range {first}..{last} has {last - first + 1} seeds; at most {_MOST} are taken"
            )
        return range(first, last + 1)
    if not (text.strip().isascii() and text.strip().isdecimal()):
        raise UsageError(f"{_FORMS}; got {written!r}")
    return [int(text)]
