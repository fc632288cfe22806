"""Small sweeps as processes of their own, and what to do to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from socsim.sweeps.journal import read_lines

ROOT = Path(__file__).resolve().parents[1]

EXPERIMENT = """\
device: xiaomi-9
duration: 100 ms
apps:
  - {kind: inference, name: net, model: squeezenet_1.1, scheduler: cpu, arrivals: {kind: poisson, period: 20 ms}}
  - {kind: competitor, name: busy, threads: 2, duty: 0.5}
"""

SCHEDULERS = """\
import os, time
import socsim

class Slow(socsim.StaticScheduler):
    '''Takes its time.'''
    def __init__(self, seconds=0.1):
        self.seconds = seconds
    def plan(self, graph, view):
        time.sleep(self.seconds)
        return dict.fromkeys(graph, "cpu")

class Raises(socsim.StaticScheduler):
    def plan(self, graph, view):
        raise ZeroDivisionError("by design")

class Loops(socsim.StaticScheduler):
    def plan(self, graph, view):
        while True:
            pass

class Stubborn(socsim.StaticScheduler):
    '''Catches whatever would end it.'''
    def plan(self, graph, view):
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass

class Eats(socsim.StaticScheduler):
    def plan(self, graph, view):
        held = []
        while True:
            held.append(bytearray(1 << 22))

class Kills(socsim.StaticScheduler):
    '''Takes its process with it.'''
    def plan(self, graph, view):
        os.kill(os.getpid(), 9)

class KillsOnce(socsim.StaticScheduler):
    '''Takes its process with it the first time.'''
    def __init__(self, mark="mark"):
        self.mark = mark
    def plan(self, graph, view):
        try:
            open(self.mark, "x").close()
        except FileExistsError:
            return dict.fromkeys(graph, "cpu")
        os.kill(os.getpid(), 9)

class Prints(socsim.StaticScheduler):
    def plan(self, graph, view):
        print("hello from a plan")
        return dict.fromkeys(graph, "cpu")
"""


def write_files(folder: Path) -> None:
    """``s.yaml`` and ``own.py``."""
    (folder / "s.yaml").write_text(EXPERIMENT)
    (folder / "own.py").write_text(SCHEDULERS)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``socsim sweep`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "socsim", "sweep", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], timeout: float = 120.0) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run ``socsim sweep`` to its end."""
    return finish(start(folder, *arguments))


def lines(folder: Path) -> list[int]:
    """Numbers of the runs in the journal of an output directory, as often as they are there."""
    return [line.run for line in read_lines(folder / "journal")]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Processes that a process has started and that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def table(folder: Path, name: str = "runs") -> pd.DataFrame:
    """A table of an output directory."""
    return pd.read_parquet(folder / f"{name}.parquet")
