"""A small world for governors: a domain whose clock follows them, told what it is busy with."""

from __future__ import annotations

from socsim.schedulers.governors import DomainSample, Governor, OppView, resolve

JETSON_GPU = OppView(
    1e6 * mhz
    for mhz in (
        114.75, 204, 306, 408, 510, 599.25, 701.25, 752.25, 803.25, 854.25, 905.25, 956.25, 1007.25, 1058.25, 1109.25
    )
)  # fmt: skip
"""The GPU of a Jetson Xavier NX."""
TENTHS = OppView(1e8 * step for step in range(1, 11))
"""100 MHz to 1 GHz in steps of 100 MHz."""


class Domain:
    """A domain of one governor: each call gives it a load, and moves the clock as it wants."""

    def __init__(self, governor: Governor, opps=TENTHS, frequency=0.0, kind="cpu", cpus=1, **fixed):
        self.governor, self.opps, self.kind, self.fixed = governor, OppView(opps), kind, fixed
        self.frequency, self.now, self.cpus = frequency or self.opps.lowest, 0.0, cpus
        wanted = governor.start(self.sample(*[0.0] * cpus))
        self._follow(wanted)

    def sample(self, *loads, elapsed=0.0, **more):
        loads = loads or (0.0,) * self.cpus
        fields = {"now": self.now} | self.fixed | more
        return DomainSample.of(self.opps, self.frequency, *loads, kind=self.kind, elapsed=elapsed, **fields)

    def call(self, *loads, elapsed=None, **more):
        """One call after its interval, or after `elapsed`; returns the new clock in MHz."""
        time = self.governor.interval(self.sample()) if elapsed is None else elapsed
        self.now += time
        self._follow(self.governor.next_frequency(self.sample(*loads, elapsed=time, **more)))
        return self.mhz

    def calls(self, *loads, **more):
        """The clocks in MHz after calls with loads of a single CPU or unit."""
        return [self.call(load, **more) for load in loads]

    def _follow(self, wanted):
        if wanted is not None:
            limits = {key: self.fixed[key] for key in ("minimum", "maximum") if key in self.fixed}
            point = resolve(
                self.sample(**limits),
                wanted,
                self.governor.relation,
                efficient=self.governor.skip_inefficient,
            )
            self.frequency = point

    @property
    def mhz(self):
        return self.frequency / 1e6
