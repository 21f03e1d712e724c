from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

from support.telemetry import Lines
from wiretape.telemetry.complaints import Complaints, LoopErrors

EXPORTER = logging.getLogger("opentelemetry.exporter.test")
OTHER = logging.getLogger("opentelemetry.sdk.test")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_source_is_told_once_a_minute_with_what_was_left_out() -> None:
    lines, clock = Lines(), Clock()
    complaints = Complaints(lines.logger, 60.0, clock)
    for clock.now in (0.0, 1.0, 59.0, 60.0):
        EXPORTER.warning("collector gone at %s", clock.now)
    OTHER.error("other")
    complaints.close()
    told = [(line["source"], line["detail"], line["untold"]) for line in lines.all]
    assert told == [
        (EXPORTER.name, "collector gone at 0.0", 0),
        (EXPORTER.name, "collector gone at 60.0", 2),
        (OTHER.name, "other", 0),
    ]
    assert {line["event"] for line in lines.all} == {"telemetry.sdk_warned"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Max retries exceeded with url: /v1/traces?key=canary (Caused by NewConnectionError",
            "Max retries exceeded with url: /v1/traces?*** (Caused by NewConnectionError",
        ),
        (
            "while exporting metrics to team:canary@[::1]:9, details: errors resolving team:canary@[::1]:9:",
            "while exporting metrics to ***@[::1]:9, details: errors resolving ***@[::1]:9:",
        ),
        ("Invalid URL 'http://team:canary@?canary': No host", "Invalid URL 'http://***@?***': No host"),
    ],
)
def test_a_collectors_key_in_its_url_is_not_told(said: str, told: str) -> None:
    """As the SDK's exporters say it, over HTTP and gRPC."""
    lines = Lines()
    complaints = Complaints(lines.logger, 60.0)
    EXPORTER.warning(said)
    complaints.close()
    assert [line["detail"] for line in lines.all] == [told]


def test_after_the_close_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines()
    Complaints(lines.logger, 60.0).close()
    EXPORTER.warning("late")
    assert lines.all == []
    assert caplog.messages == ["late"]


def raised(error: Exception) -> Exception:
    """Give it a traceback, as a loop's errors have."""

    def fail() -> None:
        raise error

    with contextlib.suppress(type(error)):
        fail()
    return error


def test_the_loops_errors_are_counted_by_type_and_told_sparingly_without_their_text() -> None:
    lines, clock = Lines(), Clock()
    errors, loop = LoopErrors(lines.logger, 60.0, clock), asyncio.new_event_loop()
    loop.set_exception_handler(errors)
    for clock.now in (0.0, 1.0, 60.0):
        loop.call_exception_handler({"message": "fell over\nsecret", "exception": raised(OSError("sk-secret"))})
    loop.call_exception_handler({"message": "no error at hand"})
    loop.close()
    assert errors.counts == {"OSError": 3, "NoneType": 1}
    told = [(line["source"], line["detail"], line["untold"]) for line in lines.all]
    assert told == [("OSError", "fell over", 0), ("OSError", "fell over", 1), ("NoneType", "no error at hand", 0)]
    assert [Path(line["at"].partition(":")[0]).name for line in lines.all] == [Path(__file__).name] * 2 + [""]
    assert "secret" not in str(lines.all)


def test_the_types_that_are_told_apart_are_bounded() -> None:
    errors, loop = LoopErrors(Lines().logger, 60.0), asyncio.new_event_loop()
    for number in range(200):
        errors(loop, {"message": "", "exception": type(f"Error{number}", (Exception,), {})()})
    loop.close()
    assert len(errors.counts) == 101
    assert errors.counts["_OTHER"] == 100
