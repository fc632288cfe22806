"""Who decides what runs where: base classes, what they see, and the schedulers that come with socsim."""

from socsim.schedulers.base import Assignment, OnlineScheduler, Scheduler, SplitScheduler, StaticScheduler
from socsim.schedulers.plan import Placement, Plan, Split
from socsim.schedulers.registry import make_scheduler
from socsim.schedulers.view import Job, View

__all__ = [
    "Assignment",
    "Job",
    "OnlineScheduler",
    "Placement",
    "Plan",
    "Scheduler",
    "Split",
    "SplitScheduler",
    "StaticScheduler",
    "View",
    "make_scheduler",
]
