"""From a Tape to other tools' files."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from wiretape.cassette.convert import to_har, to_sse, to_vcr
from wiretape.cassette.convert.exported import Exported
from wiretape.cassette.format import Tape

EXPORTS: MappingProxyType[str, Callable[[Tape], Exported]] = MappingProxyType(
    {"har": to_har.export, "vcr": to_vcr.export, "sse": to_sse.export}
)
"""By the format's name."""
