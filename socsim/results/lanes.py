"""Rows on which intervals do not overlap, for traces and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["assign_lanes", "merge_intervals"]


def assign_lanes(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """Number of the first free lane for each interval, such that no two intervals of a lane overlap.

    Parameters
    ----------
    intervals
        (start, end) pairs in order of their starts; intervals that only touch share a lane.

    Returns
    -------
    Lane numbers from 0, as few as greedy assignment needs.
    """
    free_at: list[float] = []
    lanes = []
    for start, end in intervals:
        lane = next((i for i, free in enumerate(free_at) if free <= start), len(free_at))
        if lane == len(free_at):
            free_at.append(end)
        free_at[lane] = end
        lanes.append(lane)
    return lanes


def merge_intervals(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The union of intervals as disjoint (start, end) pairs in ascending order; empty intervals vanish."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
