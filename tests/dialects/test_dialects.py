from __future__ import annotations

from wiretape import dialects
from wiretape.dialects import assistants
from wiretape.dialects.events import Kind, Route


def test_a_path_is_asked_of_each_dialect() -> None:
    expected = (assistants, Route("/v1/threads/runs", Kind.START))
    assert dialects.route("POST", "/v1/threads/runs") == expected


def test_a_path_that_nobody_knows_has_no_route() -> None:
    assert dialects.route("GET", "/v1/files") is None
