"""One run of a sweep, and its outcome as it travels and is kept: the same bytes wherever it ran."""

from __future__ import annotations

import json
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from socsim import units
from socsim._version import __version__
from socsim.errors import SocsimError
from socsim.simulation.setups import Setups
from socsim.sweeps.limits import NO_LIMITS, Limits, OutOfTime, enforced
from socsim.sweeps.plan import Sweep
from socsim.sweeps.rows import labelled

if TYPE_CHECKING:
    from socsim.results.result import Result

__all__ = ["TABLES", "Outcome", "Task", "failure", "perform"]

TABLES = ("inferences", "kernels", "power")
"""Tables that are kept of every run where they are asked for."""


@dataclass(frozen=True)
class Task:
    """What every run of a sweep needs.

    Parameters
    ----------
    plan
        What is swept.
    slowdown
        Also simulate each application alone.
    tables
        Tables to keep, of :data:`TABLES`.
    limits
        Of each run.
    version
        Of socsim, which must be the same wherever it runs.
    """

    plan: Sweep
    slowdown: bool = False
    tables: tuple[str, ...] = ()
    limits: Limits = field(default=NO_LIMITS)
    version: str = __version__


class Outcome(NamedTuple):
    """What became of a run.

    Parameters
    ----------
    run
        Its number.
    ok
        Whether it was finished.
    payload
        JSON: ``run``, ``attempt``, ``seconds`` of wall time, and ``rows``, or ``error`` with ``kind``; ``tables``:
        name -> place, length and checksum in `tables`.
    tables
        Its tables one after the other, each in Arrow's format.
    """

    run: int
    ok: bool
    payload: bytes
    tables: bytes = b""

    @property
    def content(self) -> dict[str, Any]:
        """The payload."""
        found: dict[str, Any] = json.loads(self.payload)
        return found


def perform(task: Task, number: int, attempt: int, setups: Setups) -> Outcome:
    """Run one point; whatever it raises is its outcome.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        The process shall end.
    """
    begin = time.perf_counter()
    try:
        with enforced(task.limits):
            result = task.plan.experiment(number).run(kernels=_recorded(task.tables), setups=setups)
            rows = labelled(task.plan, number, result.rows(slowdown=task.slowdown))
            names, blob = _packed(result, task.tables)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return _failed(task, number, attempt, error, time.perf_counter() - begin)
    content = {"run": number, "attempt": attempt, "seconds": _seconds(begin), "rows": rows}
    if names:
        content["tables"] = names
    return Outcome(number, True, _json(content), blob)


def failure(
    number: int, attempt: int, kind: str, message: str, trace: str = "", seconds: float = 0.0
) -> Outcome:
    """The outcome of a run that was not finished.

    Parameters
    ----------
    kind
        ``"error"``, ``"time"``, ``"memory"`` or ``"died"``.
    message, trace
        One sentence, and where it happened.
    """
    content = {
        "run": number, "attempt": attempt, "seconds": round(seconds, 6), "kind": kind, "error": message, "trace": trace,
    }  # fmt: skip
    return Outcome(number, False, _json(content))


def _failed(task: Task, number: int, attempt: int, error: BaseException, seconds: float) -> Outcome:
    kinds = {type(one) for one in _causes(error)}
    if OutOfTime in kinds:
        message = f"took longer than the {task.limits.time_s:g} s that a run may take"
        return failure(number, attempt, "time", message, _trace(error), seconds)
    if any(issubclass(kind, MemoryError) for kind in kinds):
        size = task.limits.memory_bytes
        allowed = f"than the {units.format(size, 'size')} that a run may take" if size else "than there is"
        return failure(number, attempt, "memory", f"needed more memory {allowed}", "", seconds)
    message = str(error) if isinstance(error, SocsimError) else f"{type(error).__name__}: {error}"
    return failure(number, attempt, "error", message, _trace(error), seconds)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-4000:]


def _recorded(tables: tuple[str, ...]) -> bool:
    """Whether tables need a record of every kernel."""
    return "kernels" in tables or "power" in tables


def _packed(result: Result, tables: tuple[str, ...]) -> tuple[dict[str, list[int]], bytes]:
    """Where each table is, and all of them."""
    places: dict[str, list[int]] = {}
    blob = bytearray()
    for name in tables:
        data = _arrow(result, name)
        places[name] = [len(blob), len(data), zlib.crc32(data)]
        blob += data
    return places, bytes(blob)


def _arrow(result: Result, name: str) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(getattr(result, name), preserve_index=False).replace_schema_metadata(None)
    stream = BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(stream, table.schema, options=options) as writer:
        writer.write_table(table)
    return stream.getvalue()


def _seconds(begin: float) -> float:
    return round(time.perf_counter() - begin, 6)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's."""
    return value.item() if hasattr(value, "item") else str(value)
