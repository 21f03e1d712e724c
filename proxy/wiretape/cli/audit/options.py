"""What the `audit` commands share: which ledger is meant, and how times are told on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from wiretape.errors import UsageError

ledger_option = click.option(
    "--ledger", envvar="WIRETAPE_LEDGER", default="sqlite:///wiretape.db", show_default=True, help="The audit store"
)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION: Final = re.compile(r"(\d{1,6})([smhdw])")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment_us(text: str) -> int:
    """A day or a time (ISO 8601; UTC unless it says otherwise) as microseconds since the epoch; raises UsageError."""
    try:
        told = datetime.fromisoformat(text)
        told = told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no date: 2026-11-25 or 2026-11-25T13:00 was expected") from error
    return (told - _EPOCH) // timedelta(microseconds=1)


def duration_us(text: str) -> int:
    """A length of time such as 90d, 12h or 30m as microseconds; raises UsageError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no length of time: a number with s, m, h, d or w was expected, such as 90d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) // timedelta(microseconds=1)


def now_us() -> int:
    """Microseconds since the epoch."""
    return (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1)


def shown(at_us: int) -> str:
    """A moment for a person, in UTC."""
    return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m-%d %H:%M} UTC"
