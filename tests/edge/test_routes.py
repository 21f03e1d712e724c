"""Sessions and prefixes are taken off before anything is routed, matched, recorded or forwarded."""

import pytest

from wiretape.edge.routes import Prefixes, scoped
from wiretape.errors import BadRequest, NoRoute
from wiretape.exchange import Request


def asked(target: str, *headers: tuple[bytes, bytes]) -> Request:
    return Request(method="GET", target=target, headers=headers, at_ns=0, wall_ns=0)


def test_a_session_in_the_path_is_taken_off() -> None:
    got = scoped(asked("/s/test-7/v1/threads?limit=2"))
    assert (got.session, got.target) == ("test-7", "/v1/threads?limit=2")


def test_a_sessions_name_in_the_path_is_percent_decoded_and_the_target_is_not() -> None:
    got = scoped(asked("/s/tests%2Fa%5B%C3%A9%5D/v1/%5Bx%5D"))
    assert (got.session, got.target) == ("tests/a[é]", "/v1/%5Bx%5D")


def test_a_session_in_a_header_is_taken_off() -> None:
    got = scoped(asked("/v1/threads", (b"X-Wiretape-Session", b"test-7"), (b"accept", b"*/*")))
    assert (got.session, got.target, got.headers) == ("test-7", "/v1/threads", ((b"accept", b"*/*"),))


def test_a_request_without_a_session_stays_as_it_is() -> None:
    request = asked("/v1/s/x")
    assert scoped(request) is request


def test_a_bare_session_prefix_is_the_root() -> None:
    assert scoped(asked("/s/a")).target == "/"
    got = scoped(asked("/s/a?x=1"))
    assert (got.session, got.target) == ("a", "/?x=1")


@pytest.mark.parametrize("target", ["/s//v1", "/s/" + "x" * 121 + "/v1"])
def test_a_session_without_a_usable_name_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        scoped(asked(target))


def test_the_longest_prefix_wins_and_matches_whole_segments() -> None:
    prefixes = Prefixes([("/", "all"), ("/v1", "one"), ("/v1/threads/", "threads")])
    assert [prefixes.upstream(path) for path in ("/x", "/v1", "/v1/a", "/v10", "/v1/threads/t", "/v1/threads")] == [
        "all", "one", "one", "all", "threads", "one",
    ]  # fmt: skip


def test_no_prefix_is_no_route() -> None:
    with pytest.raises(NoRoute, match="no upstream has a prefix of /v2; known are /v1"):
        Prefixes([("/v1", "one")]).upstream("/v2")
