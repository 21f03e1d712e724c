"""A request's head on its way to an upstream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.errors import BadRequest
from wiretape.wire.asked import Asked, ask, in_chunk


def asked(*headers: tuple[bytes, bytes], has_body: bool = True, target: str = "/a") -> Asked:
    return ask("POST", target, "h:1", headers, has_body=has_body)


def test_the_host_comes_first_and_the_fields_as_they_are() -> None:
    got = asked((b"x-B", b"\xe9"), (b"Content-Length", b"5"), (b"X-b", b""))
    assert got == Asked(b"POST /a HTTP/1.1\r\nHost: h:1\r\nx-B: \xe9\r\nContent-Length: 5\r\nX-b: \r\n\r\n", 5)


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    assert asked() == Asked(b"POST /a HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: chunked\r\n\r\n", None)


def test_no_body_has_no_framing_but_its_own() -> None:
    assert asked(has_body=False) == Asked(b"POST /a HTTP/1.1\r\nHost: h:1\r\n\r\n", 0)
    assert asked((b"Content-Length", b"0"), has_body=False).length == 0


MORE_THAN_INT_READS = b"9" * 5000


@pytest.mark.parametrize(
    "lengths", [[b"1", b"1"], [b"1, 1"], [b"+1"], [b""], [b"1x"], ["\u0661".encode()], [MORE_THAN_INT_READS]]
)
def test_what_tells_no_single_length_is_refused(lengths: list[bytes]) -> None:
    with pytest.raises(BadRequest):
        asked(*[(b"Content-Length", length) for length in lengths])


@pytest.mark.parametrize("length", [b"1", MORE_THAN_INT_READS, b"0" * 5000])
def test_a_length_without_a_body_is_refused(length: bytes) -> None:
    with pytest.raises(BadRequest):
        asked((b"Content-Length", length), has_body=False)


@pytest.mark.parametrize("target", ["/ HTTP/1.1", "/\r\nX: 1", "/\t", "/\0"])
def test_a_target_that_could_end_the_line_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        asked(target=target)


@given(st.lists(st.tuples(st.from_regex(rb"[A-Za-z-]{1,12}", fullmatch=True), st.binary(max_size=12)), max_size=6))
def test_any_head_ends_once_or_is_refused(fields: list[tuple[bytes, bytes]]) -> None:
    try:
        got = asked(*fields)
    except BadRequest:
        return
    assert got.head.index(b"\r\n\r\n") == len(got.head) - 4
    assert got.head.count(b"\r\n") == len(fields) + 3 + (got.length is None)


def test_an_empty_piece_never_ends_the_body() -> None:
    assert [in_chunk(b""), in_chunk(b"x" * 17)] == [b"", b"11\r\n" + b"x" * 17 + b"\r\n"]
