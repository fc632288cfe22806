"""Experiments that consist of a grid of runs.

What is swept (:mod:`~socsim.sweeps.axes`) and the numbered points (:mod:`~socsim.sweeps.grid`) know nothing of what is
simulated; :mod:`~socsim.sweeps.plan` makes the experiment of a point, :mod:`~socsim.sweeps.running` runs one point or
all, and the other modules make tables of what comes out.
"""

from socsim.sweeps.plan import Sweep, load_sweep
from socsim.sweeps.running import sweep

__all__ = ["Sweep", "load_sweep", "sweep"]
