"""What others complain of, as log lines of our own, one a minute for each source: a dead collector floods no log."""

from __future__ import annotations

import logging
import re
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable
from time import monotonic
from traceback import extract_tb
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from wiretape.telemetry.vocabulary import OTHER

_SDK: Final = "opentelemetry"
_KINDS_MAX: Final = 100
_ACCOUNT: Final = re.compile(r"[^\s'\"(\[/@]+@")
_QUERY: Final = re.compile(r"\?[^\s'\"]+")


class Sparing:
    """Tells the first warning of each source, and then one every `every_s` seconds with a count of those between."""

    def __init__(self, logger: FilteringBoundLogger, every_s: float, clock: Callable[[], float] = monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._logger = logger
        self._every_s = every_s
        self._clock = clock
        self._told_at: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def warn(self, event: str, source: str, **detail: str) -> None:
        """Tell or count one."""
        now = self._clock()
        if source in self._told_at and now - self._told_at[source] < self._every_s:
            self._untold[source] += 1
            return
        self._told_at[source] = now
        self._logger.warning(event, source=source, **detail, untold=self._untold.pop(source, 0))


class Complaints(logging.Handler):
    """The SDK's. It logs through the standard library, which prints to stderr where nobody listens; this listens."""

    def __init__(self, logger: FilteringBoundLogger, every_s: float, clock: Callable[[], float] = monotonic) -> None:
        """Listen from now until `close`. `clock` gives monotonic seconds."""
        super().__init__(logging.WARNING)
        self._sparing = Sparing(logger, every_s, clock)
        logging.getLogger(_SDK).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell or count one warning; called by the standard library, under this object's lock."""
        self._sparing.warn("telemetry.sdk_warned", record.name, detail=_unaddressed(record.getMessage()))

    def close(self) -> None:
        """Listen no more."""
        logging.getLogger(_SDK).removeHandler(self)
        super().close()


def _unaddressed(text: str) -> str:
    """Without the query and the account of a collector's URL: some take their key there."""
    return _QUERY.sub("?***", _ACCOUNT.sub("***@", text))


class LoopErrors:
    """The event loop's: errors that nobody waits for, as of a client that goes away within its TLS handshake.

    An exception handler of asyncio's (`loop.set_exception_handler`). An error's own text is never told, as it may
    quote what came over the wire: its type and where it was raised are.
    """

    def __init__(self, logger: FilteringBoundLogger, every_s: float, clock: Callable[[], float] = monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._sparing = Sparing(logger, every_s, clock)
        self.counts: Counter[str] = Counter()
        """Errors so far by their type; beyond 100 types they are `_OTHER`."""

    def __call__(self, loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count one, and tell of it or not."""
        error = context.get("exception")
        kind = type(error).__name__
        name = kind if kind in self.counts or len(self.counts) < _KINDS_MAX else OTHER
        self.counts[name] += 1
        detail = str(context["message"]).partition("\n")[0]
        self._sparing.warn("event_loop.error", name, detail=detail, at=_raised_at(error))


def _raised_at(error: BaseException | None) -> str:
    frames = extract_tb(error.__traceback__) if error is not None else []
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
