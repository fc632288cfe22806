"""What it costs processors to share a tensor: layout transform, mapping, synchronisation, or a copy.

The laws are CoDL's (MobiSys'22, Fig. 14): transform and map grow with the size, synchronisation does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from socsim.devices.device import Sharing, SyncTime

__all__ = ["Handover", "from_accelerator", "handover_time", "sharing_of", "to_accelerator"]


@dataclass(frozen=True, slots=True)
class Handover:
    """One crossing between the CPU and an accelerator; times in s.

    Parameters
    ----------
    transform
        Time of the layout change, a kernel on the accelerator; 0 if none.
    map
        Time of mapping (or copying), on the host.
    sync
        Time until the reader sees the writer's completion.
    """

    transform: float
    map: float
    sync: float

    @property
    def time(self) -> float:
        """All of it, one after the other."""
        return self.transform + self.map + self.sync


def sharing_of(sharing: Mapping[str, Sharing], *, copies: bool) -> Mapping[str, Sharing]:
    """What a library pays to share tensors with each accelerator: if it `copies` them, as copies do, where known."""
    return {name: _copying(link) if copies else link for name, link in sharing.items()}


def _copying(link: Sharing) -> Sharing:
    """A link whose tensors are copied and come out in the layout of the other side."""
    if link.copied is None:
        return link
    fixed = link.copied.fixed
    wait = SyncTime(fixed, 0.0, fixed, fixed)
    return Sharing(0.0, 0.0, wait, fixed, copy_per_byte=link.copied.per_byte, copied=link.copied)


def from_accelerator(sharing: Sharing, size: float, *, image: bool) -> Handover:
    """Make `size` bytes that an accelerator wrote readable by the CPU; `image` if they lie in an image."""
    transform = sharing.transform_per_byte * size if image else 0.0
    return Handover(transform, (sharing.map_per_byte + sharing.copy_per_byte) * size, sharing.sync.mean)


def to_accelerator(sharing: Sharing, size: float, *, image: bool) -> Handover:
    """Make `size` bytes that the CPU wrote readable by an accelerator; `image` if it reads them from an image."""
    transform = sharing.transform_per_byte * size if image else 0.0
    return Handover(transform, sharing.unmap + sharing.copy_per_byte * size, sharing.post_sync)


def handover_time(
    sharing: Mapping[str, Sharing], size: float, source: str, target: str, image: bool = False
) -> float:
    """Time in s to make `size` bytes of one processor readable by another; through the CPU between accelerators."""
    if source == target:
        return 0.0
    time = 0.0
    if source != "cpu":
        time += from_accelerator(sharing[source], size, image=image).time
    if target != "cpu":
        time += to_accelerator(sharing[target], size, image=image).time
    return time
