"""Applications that show frames, on a running device."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from functools import partial
from math import ceil
from typing import Any

from simpy.events import Timeout

from socsim.errors import UsageError
from socsim.simulation.burst import Burst
from socsim.simulation.context import Context
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.framelog import FrameLog
from socsim.simulation.kernelgraph import Entry, Step, compress
from socsim.workloads.frames import FrameApp
from socsim.workloads.uclamp import make_uclamp

__all__ = ["Display"]


class Display:
    """Frames of one application.

    Parameters
    ----------
    executor
        The device.
    app, name
        What it shows, and its unique name.

    Raises
    ------
    UsageError
        The device has no GPU.
    """

    def __init__(self, executor: Executor, app: FrameApp, name: str) -> None:
        if "gpu" not in executor.device.accelerators:
            raise UsageError(f"{name!r} needs a GPU to compose frames; {executor.device.name!r} has none")
        self.executor, self.app, self.name = executor, app, name
        self.log = FrameLog(name)
        cores = executor.device.allowed_cores(app.affinity, app.cpuset)
        uclamp = make_uclamp(app.uclamp)
        self._context = Context(
            executor, name, cores[0], host_cores=cores, nice=app.nice, priority=app.priority, uclamp=uclamp
        )
        self._thread = executor.cores.thread(
            f"{name}.render", "other", cores, nice=app.nice, absolute=True, uclamp=uclamp
        )
        self._to_render: deque[int] = deque()
        self._rendering = False
        self._under_way: set[int] = set()
        compose, traffic = app.number("compose"), app.number("traffic")
        reach = executor.device.accelerators["gpu"].bandwidth
        entry = Entry("kernel", name, "gpu", "compose", compute=compose, bytes=traffic, reach=reach)
        self._graph = compress([Step("gpu", (entry,), set())])

    def start(self) -> None:
        """Show frames from now on."""
        self.executor.env.process(self._vsyncs())

    @property
    def under_way(self) -> int:
        """How many frames have begun and are neither composed nor dropped."""
        return len(self._under_way)

    def vsyncs(self, until: float) -> tuple[int, int]:
        """Number of vsyncs before an instant in s: without one that rounding might put before or after it, and with."""
        start, stop = self.app.number("start"), min(until, self.app.number("stop"))
        number = (stop - start) * self.app.fps
        return max(0, ceil(number - 1e-6)), max(0, ceil(number + 1e-6))

    def _vsyncs(self) -> Generator[Any, Any, None]:
        env, start, stop = self.executor.env, self.app.number("start"), self.app.number("stop")
        period, number = 1.0 / self.app.fps, 0
        while start + number * period < stop:
            yield env.timeout(max(0.0, start + number * period - env.now))
            self._begin(number, start + (number + 1) * period)
            number += 1

    def _begin(self, number: int, due: float) -> None:
        now = self.executor.env.now
        self.log.begin(now, due)
        if len(self._under_way) >= self.app.buffers:
            self.log.drop(number)
            return
        self._under_way.add(number)
        decode = self.app.number("decode")
        if decode:
            Timeout(self.executor.env, decode).callbacks.append(partial(self._decoded, number))
        else:
            self._decoded(number, None)

    def _decoded(self, number: int, event: Any) -> None:
        if not self.app.number("render"):
            self._compose(number)
            return
        self._to_render.append(number)
        self._render_next()

    def _render_next(self) -> None:
        if self._rendering or not self._to_render:
            return
        self._rendering = True
        executor, work = self.executor, self.app.number("render")
        number = self._to_render.popleft()
        Burst(executor.env, executor.cores, self._thread, work, partial(self._rendered, number))

    def _rendered(self, number: int) -> None:
        self._rendering = False
        self._compose(number)
        self._render_next()

    def _compose(self, number: int) -> None:
        self.executor.launch(Fragment(self._graph, self.name, number, self._context, self._composed))

    def _composed(self, fragment: Fragment) -> None:
        self._under_way.discard(fragment.inference)
        self.log.finish(fragment.inference, self.executor.env.now)
