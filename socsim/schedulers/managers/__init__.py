"""Who picks the sub-network of each inference of a family, and who settles that, places and clocks for a device."""

from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.device import DeviceManager, Range, Setting
from socsim.schedulers.managers.registry import make_app_manager, make_device_manager, make_manager
from socsim.schedulers.managers.view import ManagerView

__all__ = [
    "DeviceManager",
    "Manager",
    "ManagerView",
    "Range",
    "Setting",
    "make_app_manager",
    "make_device_manager",
    "make_manager",
]
