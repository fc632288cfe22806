"""Who sets the clocks: the base class of governors, what they see, and those that come with socsim."""

from socsim.schedulers.governors.base import Governor, resolve
from socsim.schedulers.governors.opps import OppView
from socsim.schedulers.governors.registry import make_governor
from socsim.schedulers.governors.view import DomainSample, DomainView

__all__ = ["DomainSample", "DomainView", "Governor", "OppView", "make_governor", "resolve"]
