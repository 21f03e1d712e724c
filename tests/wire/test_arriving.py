"""Requests off the wire: the same whatever the cut; what the hostile corpora do not reach is here."""

import gc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.errors import BadRequest, HeadersTooLarge
from wiretape.wire.arriving import ArrivalBounds, RequestHead, RequestParser

BOUNDS = ArrivalBounds(line_bytes_max=64, fields_max=4)
H = b"POST /a?b=%20#c HTTP/1.1\r\nHost: x\r\n"
C = H + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = b"a" * 65


class Taken:
    """All that a parser gave."""

    parser: RequestParser | None = None

    def __init__(self) -> None:
        self.heads: list[RequestHead] = []
        self.bodies: list[bytes] = []
        self.ends = 0

    def begun(self, head: RequestHead) -> None:
        assert self.ends == len(self.heads)
        self.heads.append(head)
        self.bodies.append(b"")

    def piece(self, data: bytes) -> None:
        assert self.ends == len(self.heads) - 1
        self.bodies[-1] += data

    def ended(self) -> None:
        self.ends += 1


def read(*pieces: bytes) -> tuple[RequestParser, Taken]:
    taken = Taken()
    parser = RequestParser(BOUNDS, taken)
    for piece in pieces:
        parser.feed(piece)
    return parser, taken


WHOLE = {
    "length": (H + b"X:  a \t\r\nY:\r\nContent-Length: 5 \r\n\r\nhello", b"hello"),
    "chunks": (C + b"2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: 1\r\n\r\n", b"hello"),
    "no body": (H + b"\r\n", b""),
    "a length of nothing": (H + b"Content-Length: 00\r\n\r\n", b""),
    "no chunk": (C + b"0\r\n\r\n", b""),
}


@given(st.lists(st.sampled_from(sorted(WHOLE)), max_size=4), st.lists(st.integers(0, 400), max_size=6))
def test_any_requests_are_the_same_whatever_the_cut(names: list[str], cuts: list[int]) -> None:
    whole = b"".join(WHOLE[name][0] for name in names)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parser, taken = read(*[whole[begin:end] for begin, end in pairwise(places)])
    assert parser.fault is None
    assert taken.bodies == [WHOLE[name][1] for name in names]
    assert taken.ends == len(names)
    for name, head in zip(names, taken.heads, strict=True):
        assert (head.method, head.target, head.version, head.keep_alive) == ("POST", "/a?b=%20#c", (1, 1), True)
        assert head.headers[0] == (b"Host", b"x")
        assert head.has_body == (name in {"length", "chunks", "no chunk"})
        assert head.is_chunked == (name in {"chunks", "no chunk"})


def test_fields_are_kept_in_order_and_case_without_the_space_around_them() -> None:
    _, taken = read(WHOLE["length"][0])
    assert taken.heads[0].headers == ((b"Host", b"x"), (b"X", b"a"), (b"Y", b""), (b"Content-Length", b"5"))


def test_a_trailer_is_no_field_of_the_next_request() -> None:
    parser, taken = read(WHOLE["chunks"][0] + WHOLE["no body"][0])
    assert parser.fault is None
    assert taken.heads[1].headers == ((b"Host", b"x"),)


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    read(*pieces)


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 120), st.binary(min_size=1, max_size=4))
def test_no_damage_raises(name: str, place: int, damage: bytes) -> None:
    whole = WHOLE[name][0]
    read(whole[:place] + damage + whole[place + len(damage) :])


@pytest.mark.parametrize(
    ("request_line", "version", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\n", (1, 1), True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n", (1, 1), False),
        (b"GET / HTTP/1.0\r\n", (1, 0), False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", (1, 0), True),
        (b"GET / HTTP/2.0\r\n", (2, 0), False),
    ],
)
def test_whether_the_connection_may_carry_another(
    request_line: bytes, version: tuple[int, int], keep_alive: bool
) -> None:
    _, taken = read(request_line + b"\r\n")
    assert (taken.heads[0].version, taken.heads[0].keep_alive) == (version, keep_alive)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /" + LONG + b" HTTP/1.1\r\n\r\n"],
        [b"GET /" + LONG],
        [b"GET /", b"a" * 40, b"a" * 40],
        [H + b"X: " + LONG + b"\r\n\r\n"],
        [H + b"X: ", LONG, LONG],
        [H + LONG, LONG],
        [H, *[b"%d: a\r\n" % number for number in range(4)], b"\r\n"],
        [H + b"X: " + b"a" * 60 + b"\r\n", *[b"%d: %s\r\n" % (number, b"a" * 60) for number in range(3)], b"Y: a" * 9],
    ],
)
def test_a_head_beyond_the_bounds_is_too_large(pieces: list[bytes]) -> None:
    parser, taken = read(*pieces)
    assert isinstance(parser.fault, HeadersTooLarge)
    assert taken.heads == []


@pytest.mark.parametrize("line", [b"X: " + b"y" * 63 + b"\r\n", b"GET /%b HTTP/1.1\r\n" % (b"y" * 63)])
def test_a_line_at_its_bound_passes_whatever_the_cut(line: bytes) -> None:
    whole = line + b"\r\n" if line.startswith(b"GET") else H + line + b"\r\n"
    for cut in range(len(whole)):
        parser, taken = read(whole[:cut], whole[cut:])
        assert (len(taken.heads), parser.fault) == (1, None)


def test_a_head_that_comes_in_the_smallest_lines_is_bounded_too() -> None:
    parser, _ = read(H, *[b"X: " + b"a" * 55 + b"\r\n"] * 3, b"X", b":", *[b" "] * 62)
    assert isinstance(parser.fault, HeadersTooLarge)


@pytest.mark.parametrize("rest", [b"z\r\n", b"0\r\n" + b"T: 1\r\n" * 5 + b"\r\n", b"0\r\nT :1\r\n\r\n"])
def test_a_body_that_breaks_off_is_a_fault_and_no_end(rest: bytes) -> None:
    parser, taken = read(C + b"2\r\nhe\r\n", rest, H + b"\r\n")
    assert isinstance(parser.fault, BadRequest)
    assert (len(taken.heads), taken.ends) == (1, 0)


def test_what_came_before_a_fault_was_given() -> None:
    parser, taken = read(WHOLE["no body"][0] + WHOLE["length"][0] + b"no HTTP\r\n\r\n")
    assert isinstance(parser.fault, BadRequest)
    assert taken.bodies == [b"", b"hello"]


def test_a_chunk_extension_without_end_is_a_fault() -> None:
    parser, _ = read(C + b"2;", LONG * 2, b"a")
    assert parser.fault is not None


def test_nothing_is_read_after_a_request_that_wants_another_protocol() -> None:
    parser, taken = read(H + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", H + b"\r\n")
    assert (len(taken.heads), parser.is_done, parser.fault) == (1, True, None)


def test_nothing_is_read_once_it_was_released() -> None:
    taken = Taken()
    parser = RequestParser(BOUNDS, taken)
    parser.release()
    parser.feed(H + b"\r\n")
    assert taken.heads == []


def test_a_head_that_was_given_is_not_kept() -> None:
    """The connection may idle for long, and with thousands of others."""
    parser, taken = read(H + b"X: y\r\n\r\n")
    assert [one for one in gc.get_referrers(*taken.heads[0].headers) if isinstance(one, list)] == []
    assert parser.fault is None


def test_a_parser_that_was_released_is_free_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            parser, taken = read(H + b"\r\n")
            taken.parser = parser
            parser.release()
        assert len([one for one in gc.get_objects() if type(one) is RequestParser]) == 1
    finally:
        gc.enable()


def test_a_request_line_that_ends_in_a_bare_line_feed_is_refused() -> None:
    for line in FOREIGN:
        parser, taken = read(line + b"\nHost: x\r\n\r\n")
        assert (isinstance(parser.fault, BadRequest), taken.heads) == (True, [])


FOREIGN = [
    b"OPTIONS /x RTSP/1.0", b"GET_PARAMETER /x RTSP/1.0", b"DESCRIBE /x  RTSP/1.1", b"POST /x RTSP/1.0",
    b"SOURCE /x ICE/1.0", b"SOURCE /x?a  ICE/1.1",
]  # fmt: skip


@pytest.mark.parametrize("before", ["", "no body", "length", "chunks"])
@pytest.mark.parametrize("line", FOREIGN)
def test_another_protocol_is_refused_whatever_the_cut(line: bytes, before: str) -> None:
    whole = WHOLE[before][0] if before else b""
    data = whole + line + b"\r\nHost: x\r\n\r\n"
    for pieces in [[data], [data[at : at + 1] for at in range(len(data))]] + [
        [data[:cut], data[cut:]] for cut in range(1, len(data))
    ]:
        parser, taken = read(*pieces)
        assert isinstance(parser.fault, BadRequest)
        assert len(taken.heads) == bool(before)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /RTSP/1.0 HTTP/1.1\r\nHost: x\r\nX: / RTSP/1.0\r\n\r\n",
        b"SOURCE /ICE/1.0 HTTP/1.0\r\nConnection: keep-alive\r\nVia: ICE/1.0\r\nX: RTSP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nVia: RTSP/1.0\r\nContent-Length: 19\r\n\r\nPOST /x RTSP/1.0\r\n\n",
    ],
)
def test_what_only_speaks_of_another_protocol_passes_whatever_the_cut(data: bytes) -> None:
    for cut in range(1, len(data)):
        for pieces in ([data, data], [data[:cut], data[cut:] + data], [data + data[:cut], data[cut:]]):
            parser, taken = read(*pieces)
            assert (parser.fault, taken.ends) == (None, 2)
    parser, taken = read(*[data[at : at + 1] for at in range(len(data))])
    assert (parser.fault, taken.ends) == (None, 1)
