"""Who picks the sub-network of each inference of a family."""

from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.registry import make_manager, manager_names
from socsim.schedulers.managers.view import ManagerView

__all__ = ["Manager", "ManagerView", "make_manager", "manager_names"]
