"""Its tests: `pytest` replays, `pytest --wiretape=record` records anew, `pytest -n auto` does either in parallel."""

from __future__ import annotations

import pytest
from greet import greet


@pytest.mark.wiretape("greet", strict=True)
def test_it_is_greeted_back() -> None:
    assert "Good morning" in greet("Good morning!")


@pytest.mark.wiretape("greet", faults="answer:status=429:retry_after_s=0:times=2")
def test_two_refusals_are_overcome() -> None:
    assert "Good morning" in greet("Good morning!")


@pytest.mark.wiretape("greet", faults="end:by=failed")
def test_a_run_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="the run is failed"):
        greet("Good morning!")
