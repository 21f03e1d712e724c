"""Values that OpenTelemetry's SDK would not honour, found before it reads them.

It takes a default in place of such a value, and tells stderr alone: there would be another timeout, other roots or no
key for the collector, and a malformed list of headers would be printed with the key that stands in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from wiretape.errors import ConfigError

_HEADER = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=.*")
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)


class _Check(Struct, frozen=True):
    """What a value has to be."""

    holds: Callable[[str], bool]
    what: str
    is_told: bool = True
    """Whether an error may quote the value."""


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_length(text: str) -> bool:
    try:
        return 0 < float(text) < inf
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip()))


def _is_readable(text: str) -> bool:
    return os.access(text, os.R_OK)


def _are_headers(text: str) -> bool:
    return all(_HEADER.fullmatch(part) for part in text.split(",") if part.strip())


def _are_pairs(text: str) -> bool:
    return all("=" in part for part in text.split(",") if part.strip())


def _one_of(*words: str) -> _Check:
    return _Check(lambda text: text.strip().lower() in words, f"is {', '.join(words[:-1])} or {words[-1]}")


_LENGTH: Final = _Check(_is_length, "is a number above 0")
_COUNT: Final = _Check(_is_number, "is a whole number that is not negative")
_FILE: Final = _Check(_is_readable, "is a file that can be read")
_EITHER: Final = {
    "TIMEOUT": _LENGTH,
    "HEADERS": _Check(_are_headers, "is name=value, name=value and so on; it is not quoted here", is_told=False),
    "CERTIFICATE": _FILE,
    "CLIENT_CERTIFICATE": _FILE,
    "CLIENT_KEY": _FILE,
}
_BY_HTTP: Final = {
    "ENDPOINT": _Check(_is_url, "is a URL, http:// or https://", is_told=False),
    "COMPRESSION": _one_of("gzip", "deflate", "none"),
}
_BY_GRPC: Final = {"COMPRESSION": _one_of("gzip", "none"), "INSECURE": _one_of("true", "false")}

_ALWAYS: Final = {
    "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("trace_based", "always_off"),
    "OTEL_RESOURCE_ATTRIBUTES": _Check(_are_pairs, "is name=value, name=value and so on"),
}
_OF_SIGNALS: Final = {
    "TRACES": {
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _COUNT,
        "OTEL_BSP_SCHEDULE_DELAY": _COUNT,
        "OTEL_BSP_EXPORT_TIMEOUT": _COUNT,
    },
    "METRICS": {
        "OTEL_METRIC_EXPORT_INTERVAL": _LENGTH,
        "OTEL_METRIC_EXPORT_TIMEOUT": _LENGTH,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative", "delta", "lowmemory"),
    },
}


def check(environ: Mapping[str, str], over_http: Mapping[str, bool]) -> None:
    """Raise ConfigError for the first value that is not to be had.

    `over_http` has the signals that are exported (`TRACES`, `METRICS`): the variables of others have no effect.
    """
    for name, found in _checks(environ, over_http):
        value = environ.get(name, "")
        if value and not found.holds(value):
            raise ConfigError(f"{name} {found.what}" + (f"; got {value!r}" if found.is_told else ""))


def _checks(environ: Mapping[str, str], over_http: Mapping[str, bool]) -> Iterator[tuple[str, _Check]]:
    yield from _ALWAYS.items()
    for signal, is_http in over_http.items():
        yield from _OF_SIGNALS[signal].items()
        for suffix, found in (_EITHER | (_BY_HTTP if is_http else _BY_GRPC)).items():
            own = f"OTEL_EXPORTER_OTLP_{signal}_{suffix}"
            yield (own if environ.get(own) else f"OTEL_EXPORTER_OTLP_{suffix}"), found
