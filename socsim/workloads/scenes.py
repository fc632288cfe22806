"""Scenes: what share of each frame of a camera differs from the frame before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import Fault, FileError, UsageError
from socsim.workloads.csvfile import csv_rows

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ChangeTrace", "Constant", "Markov", "Scene", "Share", "State", "read_changes"]

_COLUMN = "changed"


class Scene(ABC):
    """A process of changed shares, one for each arrival; subclass it for one of your own."""

    @abstractmethod
    def changes(self, rng: np.random.Generator) -> Iterator[float]:
        """Share of each frame (0 to 1) that differs from the frame before, without end; the first is not looked at.

        Parameters
        ----------
        rng
            Where every random draw comes from. It is the scene's own, so that what a run does besides changes nothing.
        """

    def describe(self) -> Any:
        """How an experiment file says it; a class of the user's own by its name."""
        return {"kind": f"{type(self).__module__}:{type(self).__qualname__}"}


@dataclass(frozen=True)
class Share:
    """A share that is drawn for each frame: a beta distribution, or one value where `sd` is 0.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation of the share.

    Raises
    ------
    UsageError
        A mean outside [0, 1], or a deviation that no distribution on [0, 1] with that mean has.
    """

    mean: float
    sd: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.mean <= 1.0:
            raise UsageError(f"a changed share must be from 0 to 1, got {self.mean!r}")
        most = (self.mean * (1.0 - self.mean)) ** 0.5
        if not (self.sd == 0.0 or 0.0 < self.sd < most):
            raise UsageError(
                f"sd of a share with mean {self.mean:g} must be below {most:.3g}, got {self.sd!r}"
            )

    def draw(self, rng: np.random.Generator) -> float:
        """One share."""
        if not self.sd:
            return self.mean
        weight = self.mean * (1.0 - self.mean) / self.sd**2 - 1.0
        return float(rng.beta(self.mean * weight, (1.0 - self.mean) * weight))

    def describe(self) -> Any:
        """A number, or mean and deviation."""
        return {"mean": self.mean, "sd": self.sd} if self.sd else self.mean


@dataclass(frozen=True)
class Constant(Scene):
    """The same share in every frame."""

    changed: float

    def __post_init__(self) -> None:
        Share(self.changed)

    def changes(self, rng: np.random.Generator) -> Iterator[float]:
        """The share, for ever."""
        return repeat(float(self.changed))

    def describe(self) -> Any:
        """Its kind and share."""
        return {"kind": "constant", "changed": self.changed}


@dataclass(frozen=True)
class State:
    """One state of a scene.

    Parameters
    ----------
    frames
        How many frames it lasts on average; their number is geometrically distributed.
    changed
        Share of a frame that differs from the one before while it lasts.

    Raises
    ------
    UsageError
        Less than one frame.
    """

    frames: float
    changed: Share

    def __post_init__(self) -> None:
        if not 1.0 <= self.frames < float("inf"):
            raise UsageError(f"a state of a scene must last at least 1 frame, got {self.frames!r}")

    def describe(self) -> dict[str, Any]:
        """Both as an experiment file says them."""
        return {"frames": self.frames, "changed": self.changed.describe()}


@dataclass(frozen=True)
class Markov(Scene):
    """A scene that stands nearly still, then moves, then stands still again, with cuts at which all of it changes.

    It begins in one of its states, as likely as that is in the long run.

    Parameters
    ----------
    static, moving
        Its states.
    cut
        Probability that a frame differs altogether from the one before, in either state.

    Raises
    ------
    UsageError
        A probability outside [0, 1].
    """

    static: State
    moving: State
    cut: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.cut <= 1.0:
            raise UsageError(f"cut must be a probability from 0 to 1, got {self.cut!r}")

    def changes(self, rng: np.random.Generator) -> Iterator[float]:
        """Three draws a frame: whether it is a cut, its share, and whether the state ends with it."""
        states = (self.static, self.moving)
        moving = bool(rng.random() < self.moving.frames / (self.static.frames + self.moving.frames))
        while True:
            state = states[moving]
            is_cut, share = bool(rng.random() < self.cut), state.changed.draw(rng)
            yield 1.0 if is_cut else share
            moving ^= bool(rng.random() < 1.0 / state.frames)

    def describe(self) -> Any:
        """Both states, and cuts where there are any."""
        cut = {"cut": self.cut} if self.cut else {}
        states = {"static": self.static.describe(), "moving": self.moving.describe()}
        return {"kind": "markov", **states, **cut}


@dataclass(frozen=True)
class ChangeTrace(Scene):
    """The shares of a CSV file (:func:`read_changes`), read when the run starts, over and over."""

    file: str

    def changes(self, rng: np.random.Generator) -> Iterator[float]:
        """The file's shares."""
        return cycle(read_changes(self.file))

    def describe(self) -> Any:
        """The file's path."""
        return {"kind": "trace", "file": self.file}


def read_changes(path: str | Path) -> tuple[float, ...]:
    """Read changed shares from a CSV file.

    Parameters
    ----------
    path
        A file with a header and one frame in each row, whose column ``changed`` has the share of the frame, 0 to 1,
        that differs from the one before; other columns are left alone.

    Raises
    ------
    FileError
        The file cannot be read, lacks the column or rows, or has a share that is none; all bad rows in one pass.
    """
    rows = csv_rows(path)
    line, header = rows[0] if rows else (0, [])
    names = [name.strip() for name in header]
    if names.count(_COLUMN) != 1:
        got = f"the columns are {', '.join(map(repr, names))}" if names else "the file is empty"
        raise FileError(str(path), [Fault(line, 1 if line else 0, "", f"needs one column {_COLUMN}; {got}")])
    column = names.index(_COLUMN)
    texts = [(number, row[column].strip() if column < len(row) else "") for number, row in rows[1:]]
    shares = [_share(text) for _, text in texts]
    faults = [
        Fault(number, column + 1, "", f"a changed share must be a number from 0 to 1, got {text!r}")
        for (number, text), share in zip(texts, shares, strict=True)
        if share is None
    ]
    if faults or not shares:
        raise FileError(str(path), faults or [Fault(0, 0, "", "has no frames below its header")])
    return tuple(share for share in shares if share is not None)


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0.0 <= share <= 1.0 else None
