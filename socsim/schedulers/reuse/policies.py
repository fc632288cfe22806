"""The policies of reuse that come with socsim."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.schedulers.options import Options
from socsim.schedulers.reuse.base import ReusePolicy, Way

__all__ = ["FrameReuse", "LayerReuse", "NoReuse"]


class NoReuse(ReusePolicy):
    """Compute every frame, and compare none."""

    name, keeps = "none", ""

    def decide(self, changed: float, skipped: int) -> Way:
        """All of it."""
        return "none"


class FrameReuse(ReusePolicy):
    """Give the last result again where little has changed since.

    Parameters
    ----------
    threshold
        Changed share below which a frame is skipped.
    max_skips
        How many frames in a row are skipped at most; the next one is computed.
    passes
        How often both frames are read to compare them.

    Raises
    ------
    UsageError
        An option outside its rule.
    """

    name = "frame"

    def __init__(self, threshold: float | str = 0.05, max_skips: int = 10, passes: float = 1.0) -> None:
        own = Options("reuse policy", self.name)
        self.threshold = own.ratio("threshold", threshold, 1.0)
        self.max_skips = own.count("max_skips", max_skips)
        self.passes = own.ratio("passes", passes)

    def decide(self, changed: float, skipped: int) -> Way:
        """Skip what is below the threshold, unless too many were skipped."""
        return "frame" if changed < self.threshold and skipped < self.max_skips else "none"


class LayerReuse(ReusePolicy):
    """Recompute, layer by layer, the region that what has changed reaches.

    The region grows by the receptive field of each operator. Operators whose every output depends on all of their input
    (fully connected ones, global pooling) are computed whole, and so are those that would take as long in part, that
    are divided between processors, or of which the library has no kernels for a part on an accelerator. Where nothing
    has changed, the last result is given again.

    Parameters
    ----------
    block
        Rows of the network's input that change together.
    boundary
        Time of the CPU for each operator computed in part, in s or with a unit.
    copies
        Whether reused rows are copied into new feature maps; otherwise changed rows are written over in place.
    passes
        How often both frames are read to compare them.

    Raises
    ------
    UsageError
        An option outside its rule.

    References
    ----------
    .. [1] Xu, Zhu, Liu, Lin and Liu, "DeepCache: Principled Cache for Mobile Deep Vision", MobiCom 2018: regions of the
       input that match the frame before, propagated through the layers of a network; 18 % of the time saved on average
       and 47 % at most, 20 % of the energy on average. It finds blocks that have moved, which costs more comparing and
       copying than is assumed here by default.
    """

    name, keeps = "layer", "layers"

    def __init__(
        self, block: int = 8, boundary: float | str = 10e-6, copies: bool = False, passes: float = 1.0
    ) -> None:
        own = Options("reuse policy", self.name)
        self.block = own.count("block", block, 1)
        self.boundary = own.seconds("boundary", boundary, zero=True)
        if not isinstance(copies, bool):
            raise UsageError(f"reuse policy 'layer': copies must be true or false, got {copies!r}")
        self.copies = copies
        self.passes = own.ratio("passes", passes)

    def decide(self, changed: float, skipped: int) -> Way:
        """What has changed."""
        return "layer"
