"""What of the frame before is used again."""

from socsim.schedulers.reuse.base import ReusePolicy
from socsim.schedulers.reuse.registry import make_reuse

__all__ = ["ReusePolicy", "make_reuse"]
