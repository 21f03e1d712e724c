"""Faults as they are written: a name and its options, `cut:after=3:inside=json`. One sentence tells what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import structs

from wiretape.cassette.faults import Answer, Cut, Drop, Duplicate, End, Fault, Faults, Recut, Stall
from wiretape.errors import ConfigError

KINDS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        "answer": Answer,
        "cut": Cut,
        "drop": Drop,
        "duplicate": Duplicate,
        "end": End,
        "recut": Recut,
        "stall": Stall,
    }
)
_COUNT_MAX = 1 << 31


def faults(words: Iterable[str]) -> Faults:
    """A session's faults, in this order. Raises ConfigError, which names what is known."""
    return Faults([parse(word) for word in words])


def parse(word: str) -> Fault:
    """One fault. Raises ConfigError."""
    name, *pairs = word.split(":")
    kind = KINDS.get(name)
    if kind is None:
        raise ConfigError(f"there is no fault {name!r}; known are {', '.join(KINDS)}")
    given = dict(_option(name, kind, pair) for pair in pairs)
    if len(given) < len(pairs):
        raise ConfigError(f"fault {word}: an option is given twice")
    return msgspec.convert({"word": word, **given}, kind)


def _option(name: str, kind: type[Fault], pair: str) -> tuple[str, object]:
    option, equals, text = pair.partition("=")
    known = [field for field in structs.fields(kind) if field.name != "word"]
    if not equals or option not in {field.name for field in known}:
        names = ", ".join(f"{field.name}=…" for field in sorted(known, key=lambda field: field.name))
        raise ConfigError(f"fault {name}: there is no option {pair!r}; it takes {names}")
    read, expected = _READERS[option]
    value = read(text)
    if value is None:
        raise ConfigError(f"fault {name}: {option} is {expected}; got {text!r}")
    return option, value


def _whole(low: int, high: int = _COUNT_MAX) -> tuple[Callable[[str], object], str]:
    def read(text: str) -> int | None:
        found = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(high)) else -1
        return found if low <= found <= high else None

    return read, f"a whole number from {low}" + (f" to {high}" if high < _COUNT_MAX else "")


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < math.inf else None


def _one_of(*names: str) -> tuple[Callable[[str], object], str]:
    return lambda text: text if text in names else None, f"one of {', '.join(names)}"


_READERS: Mapping[str, tuple[Callable[[str], object], str]] = MappingProxyType(
    {
        "after": _whole(0),
        "bytes_max": _whole(1),
        "by": _one_of("error", "failed", "expired", "incomplete"),
        "event": _whole(1),
        "for_s": (_seconds, "a number of seconds that is not negative"),
        "inside": _one_of("character", "json"),
        "on": (lambda text: text or None, "a part of a path"),
        "retry_after_s": _whole(0),
        "seed": _whole(0),
        "status": _whole(400, 599),
        "times": _whole(1),
    }
)
