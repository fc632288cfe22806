"""Published measurements that come with socsim: tables of latencies, and what their networks and devices are."""

from socsim.measurements import tables
from socsim.measurements.tables import *  # noqa: F403

__all__ = tables.__all__
