"""Framing towards the client is rebuilt, by RFC 9112 section 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.errors import UpstreamProtocolError
from wiretape.exchange import Head, Headers
from wiretape.wire.framing import Framed, Framing, frame


def framed(
    status: int = 200, *fields: tuple[bytes, bytes], method: str = "GET", modern: bool = True, keep_alive: bool = True
) -> Framed:
    return frame(Head(status, fields, 0, "OK"), method=method, modern=modern, keep_alive=keep_alive)


def test_a_body_of_known_length_keeps_its_length() -> None:
    got = framed(200, (b"Content-Length", b"5"))
    assert got == Framed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing.LENGTH, keep_alive=True)


def test_a_body_of_unknown_length_is_chunked() -> None:
    got = framed()
    assert got == Framed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing.CHUNKED, keep_alive=True)


def test_an_old_client_reads_a_body_of_unknown_length_to_the_close() -> None:
    got = framed(modern=False)
    assert got == Framed(b"HTTP/1.1 200 OK\r\n\r\n", Framing.CLOSE, keep_alive=False)


def test_an_old_client_that_wants_to_stay_is_told_so() -> None:
    got = framed(200, (b"Content-Length", b"5"), modern=False)
    assert got.head.endswith(b"Content-Length: 5\r\nConnection: keep-alive\r\n\r\n")


def test_a_client_that_wants_to_go_is_told_so() -> None:
    assert framed(keep_alive=False).head.endswith(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (103, "GET"), (200, "HEAD")])
def test_some_answers_have_no_body_whatever_their_fields_say(status: int, method: str) -> None:
    got = framed(status, (b"Content-Length", b"5"), method=method)
    assert got.framing is Framing.EMPTY
    assert b"Content-Length: 5" in got.head


def test_the_upstreams_own_framing_and_hop_by_hop_fields_are_not_copied() -> None:
    got = framed(
        200, (b"Transfer-Encoding", b"Chunked"), (b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"X-Kept", b"2")
    )
    assert got.head == b"HTTP/1.1 200 OK\r\nX-Kept: 2\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_case_order_and_repeats_of_fields_survive() -> None:
    got = framed(200, (b"x-B", b"1"), (b"X-a", b"2"), (b"x-b", b"\xe9"), (b"content-length", b"0"))
    assert got.head == b"HTTP/1.1 200 OK\r\nx-B: 1\r\nX-a: 2\r\nx-b: \xe9\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("mark", [b"\r", b"\n", b"\0"])
def test_a_field_that_could_end_the_head_early_is_refused(mark: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        framed(200, (b"x", b"a" + mark + b"b"))


@pytest.mark.parametrize(
    "fields",
    [
        ((b"Transfer-Encoding", b"gzip, chunked"),),
        ((b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"chunked")),
        ((b"Transfer-Encoding", b"identity"),),
        ((b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")),
    ],
)
def test_a_coding_that_the_body_would_keep_is_refused(fields: Headers) -> None:
    with pytest.raises(UpstreamProtocolError):
        framed(200, *fields)


def test_a_status_of_less_than_three_digits_is_refused() -> None:
    with pytest.raises(UpstreamProtocolError):
        framed(77)


FIELDS = st.lists(st.tuples(st.from_regex(rb"[A-Za-z-]{1,12}", fullmatch=True), st.binary(max_size=12)), max_size=6)


@given(FIELDS, st.sampled_from([200, 204, 304, 404, 502]), st.booleans(), st.booleans())
def test_any_head_ends_once_or_is_refused(
    fields: list[tuple[bytes, bytes]], status: int, modern: bool, keep_alive: bool
) -> None:
    headers: Headers = tuple(fields)
    try:
        got = frame(Head(status, headers, 0, "R"), method="GET", modern=modern, keep_alive=keep_alive)
    except UpstreamProtocolError:
        return
    assert got.head.index(b"\r\n\r\n") == len(got.head) - 4
    assert (got.framing is Framing.CHUNKED) == (b"Transfer-Encoding: chunked\r\n" in got.head)
