"""Words of sentences."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """A number and its noun, which takes an s unless there is one: ``"1 operator"``, ``"2 operators"``."""
    return f"{number} {noun}{'s' * (number != 1)}"
