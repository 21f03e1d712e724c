"""Log lines on their way to a stream that may block or be gone: who logs only appends to a bounded queue."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TextIO

from wiretape.telemetry.log import Nowhere


class LogStream(io.StringIO):
    """Takes text from any thread at once, and writes it in a thread of its own.

    A pipe that nobody reads holds that thread alone. What no longer fits, and what could not be written, is counted.
    """

    def __init__(self, stream: TextIO, lines_max: int) -> None:
        """`lines_max` is lines that may wait; a text that does not fit whole is dropped whole."""
        super().__init__()
        self._stream = stream
        self._lines_max = lines_max
        self._put_down = _put_down(stream)
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._lock = Lock()
        self._waiting = 0
        # Two counters, as each has a writer of its own: the lock's holder, and the thread.
        self._refused = 0
        self._failed = 0
        self._thread = Thread(target=self._work, name="wiretape-log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines lost so far: refused as too many waited, or not written as the stream is gone."""
        return self._refused + self._failed

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Queue whole lines, or drop and count them; never blocks or raises."""
        lines = text.count("\n")
        with self._lock:
            if self._waiting + lines > self._lines_max:
                self._refused += lines
                return len(text)
            self._waiting += lines
        self._queue.put(text)
        return len(text)

    def end(self, within_s: float) -> None:
        """Write what waits, for so long at most; later lines are written only while the process lasts."""
        self._queue.put(None)
        self._thread.join(within_s)

    def _work(self) -> None:
        while (text := self._queue.get()) is not None:
            lines = text.count("\n")
            try:
                self._put_down(text)
            except (OSError, ValueError):  # a reader that is gone, a stream that is closed
                self._failed += lines
            with self._lock:
                self._waiting -= lines


def unblocked(stream: TextIO, lines_max: int) -> LogStream | Nowhere:
    """What takes lines for a stream without ever waiting for it."""
    return stream if isinstance(stream, Nowhere) else LogStream(stream, lines_max)


def _put_down(stream: TextIO) -> Callable[[str], object]:
    """What writes to a stream, past its buffer where it can.

    A thread that hangs in a buffer's write keeps its lock, for which the interpreter would wait, and then abort, as it
    flushes the standard streams at the end.
    """
    with suppress(OSError, ValueError):
        descriptor = stream.fileno()
        return lambda text: _write_all(descriptor, text.encode("utf-8", "backslashreplace"))
    return stream.write


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # others may have made what the stream leads to non-blocking
            select.select([], [descriptor], [])
