"""What the OpenTelemetry SDK complains of, as our own log lines, one a minute: a dead collector must not flood a log.

The SDK logs through the standard library, which prints to stderr where nobody listens. This listens, while it is open.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Final

from structlog.typing import FilteringBoundLogger

_SDK: Final = "opentelemetry"


class Complaints(logging.Handler):
    """Passes on the first warning of each of the SDK's loggers, and then one every `every_s` seconds with a count."""

    def __init__(self, logger: FilteringBoundLogger, every_s: float, clock: Callable[[], float] = monotonic) -> None:
        """Listen from now until `close`. `clock` gives monotonic seconds."""
        super().__init__(logging.WARNING)
        self._logger = logger
        self._every_s = every_s
        self._clock = clock
        self._told_at: dict[str, float] = {}
        self._untold: Counter[str] = Counter()
        logging.getLogger(_SDK).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell or count one warning; called by the standard library, under this object's lock."""
        now, source = self._clock(), record.name
        if source in self._told_at and now - self._told_at[source] < self._every_s:
            self._untold[source] += 1
            return
        self._told_at[source] = now
        self._logger.warning(
            "telemetry.sdk_warned", source=source, detail=record.getMessage(), untold=self._untold.pop(source, 0)
        )

    def close(self) -> None:
        """Listen no more."""
        logging.getLogger(_SDK).removeHandler(self)
        super().close()
