from __future__ import annotations

import logging

import pytest

from support.telemetry import Lines
from wiretape.telemetry.complaints import Complaints

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


def test_after_the_close_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines()
    Complaints(lines.logger, 60.0).close()
    EXPORTER.warning("late")
    assert lines.all == []
    assert caplog.messages == ["late"]
