from __future__ import annotations

from wiretape.runs.report import Usage


def test_the_total_is_prompt_and_completion() -> None:
    assert Usage(3, 4, cached=2, reasoning=1).total == 7
