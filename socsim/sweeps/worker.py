"""What a worker process does: it reads runs from its standard input and writes outcomes where its output was.

Messages are pickles with their length in front. The first is the task; every other is (number, attempt). What is
printed meanwhile goes to standard error. A worker ends when its input does, even in the middle of a run, so none is
left behind by whoever started it.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from typing import IO, Any

__all__ = ["main", "read_message", "split_message", "write_message"]

_LENGTH = struct.Struct("<Q")

IDLE_S = 600.0
"""Time in s without anything to do after which a worker ends."""


def read_message(stream: IO[bytes]) -> Any:
    """The next message; EOFError where there is none, or only a part of one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


def split_message(buffer: bytearray) -> tuple[Any] | None:
    """Take the first message out of what has been read so far; None where it is not complete."""
    if len(buffer) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(buffer)
    end = _LENGTH.size + length
    if len(buffer) < end:
        return None
    with memoryview(buffer) as view:
        message = pickle.loads(view[_LENGTH.size : end])
    del buffer[:end]
    return (message,)


def write_message(stream: IO[bytes], message: Any) -> None:
    """Write a message and see that it leaves."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def main() -> None:
    """Work until there is nothing more to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    try:
        _work(inbox, out)
    except (BrokenPipeError, queue.Empty):
        pass
    finally:
        sys.stderr.flush()
        os._exit(0)


def _read(stream: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(read_message(stream))
    except EOFError:
        os._exit(0)
    except BaseException as error:
        inbox.put(error)


def _work(inbox: queue.SimpleQueue[Any], out: IO[bytes]) -> None:
    task = _task(inbox.get(timeout=IDLE_S), out)
    if task is None:
        return
    from socsim.simulation.setups import Setups
    from socsim.sweeps.task import perform

    setups = Setups()
    gc.freeze()
    write_message(out, ("ready", None))
    while True:
        message = inbox.get(timeout=IDLE_S)
        if isinstance(message, BaseException):
            raise message
        number, attempt = message
        outcome = perform(task, number, attempt, setups)
        write_message(out, ("done", outcome))
        if not outcome.ok and outcome.content["kind"] == "memory":
            write_message(out, ("bye", None))
            return


def _task(message: Any, out: IO[bytes]) -> Any:
    """The task, or None after saying why there is none."""
    from socsim._version import __version__

    try:
        if isinstance(message, BaseException):
            raise message
        task = pickle.loads(message)
    except Exception as error:
        write_message(out, ("refused", f"{type(error).__name__}: {error}"))
        return None
    if task.version != __version__:
        write_message(
            out, ("refused", f"it has socsim {__version__}, and the sweep is one of {task.version}")
        )
        return None
    return task
