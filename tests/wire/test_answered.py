"""Answers off the wire: the same whatever the cut; what the engines' table does not reach is here."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.wire.answered import AnswerBounds, AnswerParser

BOUNDS = AnswerBounds(line_bytes_max=64, fields_max=4, interim_max=2)
H = b"HTTP/1.1 200 OK\r\n"
C = H + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes, to_head: bool = False) -> tuple[AnswerParser, bytes]:
    parser = AnswerParser(BOUNDS, to_head=to_head)
    body = b""
    for piece in pieces:
        body += parser.feed(piece)
        if parser.fault:
            break
    return parser, body


WHOLE = {
    "length": H + b"X:  a \r\nY:\r\nContent-Length: 5 \r\n\r\nhello",
    "chunks": C + b"2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: 1\r\n\r\n",
    "after 1xx": b"HTTP/1.1 103 E\r\nContent-Length: 9\r\n\r\n" + H + b"Content-Length: 5\r\n\r\nhello",
    "old, in chunks": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
    + C.partition(b"\r\n")[2]
    + b"5\r\nhello\r\n0\r\n\r\n",
}


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 120), max_size=6))
def test_any_cut_gives_the_same_answer(name: str, cuts: list[int]) -> None:
    whole = WHOLE[name]
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parser, body = read(*[whole[begin:end] for begin, end in pairwise(places) if end > begin])
    assert (body, parser.status, parser.reason, parser.fault) == (b"hello", 200, "OK", None)
    assert (parser.has_head, parser.ended, parser.eof()) == (True, True, True)
    assert parser.reusable == (name != "old, in chunks")
    assert parser.trailers == (name == "chunks")
    assert parser.interim == (name == "after 1xx")


@given(st.lists(st.binary(max_size=80), max_size=8), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], to_head: bool) -> None:
    parser, _ = read(*pieces, to_head=to_head)
    assert not (parser.reusable and parser.fault)


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 120), st.binary(min_size=1, max_size=4))
def test_no_damage_raises(name: str, place: int, damage: bytes) -> None:
    whole = WHOLE[name]
    read(whole[:place] + damage + whole[place + len(damage) :])


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: gzip", b"Connection: close", b"X: 1"])
def test_a_trailer_changes_nothing_whatever_its_name(field: bytes) -> None:
    parser, body = read(C, b"2\r\nok\r\n", b"0\r\n" + field + b"\r\n\r\n")
    assert (body, parser.ended, parser.reusable, parser.trailers, parser.fault) == (b"ok", True, True, 1, None)
    assert b"5" not in [value for _, value in parser.headers]


def test_a_length_of_more_digits_than_python_reads_is_a_fault() -> None:
    parser = AnswerParser(AnswerBounds(line_bytes_max=9000, fields_max=4, interim_max=2))
    parser.feed(H + b"Content-Length: " + b"0" * 5000 + b"2\r\n\r\nok")
    assert parser.fault is not None


def test_values_lose_the_blanks_around_them_and_keep_every_other_byte() -> None:
    parser, _ = read(H + b"X: \t\xe9\xff b \t\r\nx:\r\n\r\n")
    assert parser.headers == ((b"X", b"\xe9\xff b"), (b"x", b""))


def test_a_reason_keeps_its_bytes() -> None:
    parser, _ = read(b"HTTP/1.1 200 caf\xe9\r\n\r\n")
    assert parser.reason.encode("utf-8", "surrogateescape") == b"caf\xe9"


@pytest.mark.parametrize("extra", [b"", b"\r\n", b"\n\n"])
def test_empty_lines_beyond_the_end_are_forgiven(extra: bytes) -> None:
    parser, body = read(H + b"Content-Length: 5\r\n\r\n", b"hello" + extra, extra or b"\r\n")
    assert (body, parser.ended, parser.has_excess, parser.reusable) == (b"hello", True, False, True)


def test_bytes_beyond_a_counted_end_are_noticed_though_they_come_later() -> None:
    parser, body = read(H + b"Content-Length: 5\r\n\r\n", b"hello", b"x")
    assert (body, parser.has_excess, parser.reusable) == (b"hello", True, False)


def test_a_read_that_runs_beyond_the_end_is_not_passed_on() -> None:
    parser, body = read(H + b"Content-Length: 5\r\n\r\n", b"he", b"lloX")
    assert (body, parser.fault) == (b"he", "bytes came beyond the end of the body")


def test_the_first_fault_is_the_one_told() -> None:
    parser, _ = read(H + b"X: " + b"a" * 99 + b"\r\nTransfer-Encoding: gzip\r\n\r\n")
    assert parser.fault == "a field is too long, or there are too many"
    assert not parser.has_head


def test_a_line_without_an_end_is_refused_after_the_read_that_makes_it_too_long() -> None:
    parser, _ = read(H, b"X: 1\r\nY: " + b"a" * 40, b"a" * 40)
    assert parser.fault == "a line is too long"


def test_an_answer_to_head_ends_with_its_head_wherever_that_is_cut() -> None:
    parser, body = read(C[:20], C[20:] + b"5\r\nhello", to_head=True)
    assert (body, parser.ended, parser.has_excess, parser.fault) == (b"", True, True, None)
    parser, _ = read(C[:20], b"\0", to_head=True)
    assert parser.fault


def test_what_has_been_released_reads_no_more() -> None:
    parser, _ = read(C + b"5\r\nhello\r\n")
    parser.release()
    assert (parser.feed(b"\r\n"), parser.has_excess) == (b"", False)
    assert (parser.feed(b"0\r\n\r\n"), parser.has_excess) == (b"", True)


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        ((b"HTTP/1.1 200 " + b"a" * 65 + b"\r\n\r\n",), "the status line is too long"),
        ((H + b"X: 1\r\n" * 5 + b"\r\n",), "a field is too long, or there are too many"),
        ((C, b"0\r\n" + b"X: 1\r\n" * 5 + b"\r\n"), "there are too many trailers"),
        ((b"HTTP/2.0 200 OK\r\n\r\n",), "the answer is neither HTTP/1.0 nor HTTP/1.1"),
        ((b"HTTP/1.1 101 X\r\n\r\n",), "the upstream switched protocols without being asked"),
        ((b"HTTP/1.1 103 X\r\n\r\n" * 3,), "the status is none, or there are too many 1xx answers"),
        ((b"HTTP/1.1 099 X\r\n\r\n",), "the status is none, or there are too many 1xx answers"),
        ((H + b"Transfer-Encoding: x\r\n\r\n",), "the answer's transfer coding is not chunked alone"),
        ((C[:-2] + b"Content-Length: 2\r\n\r\n",), "the answer has a length and is chunked as well"),
        ((H + b"Content-Length: 2\r\n" + C[len(H) :],), "the answer has a length and is chunked as well"),
    ],
)
def test_each_bound_and_each_lie_has_its_words(pieces: tuple[bytes, ...], fault: str) -> None:
    assert read(*pieces)[0].fault == fault


def test_a_body_without_an_end_of_its_own_ends_with_its_connection() -> None:
    parser, body = read(H + b"X: 1\r\n\r\na", b"b")
    assert (body, parser.ended, parser.eof(), parser.reusable) == (b"ab", False, True, False)


@pytest.mark.parametrize("status", [b"204 N", b"304 N"])
def test_a_body_that_must_not_be_is_cut_off(status: bytes) -> None:
    parser, body = read(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nhello")
    assert (body, parser.ended, parser.fault, parser.reusable) == (b"", True, None, False)


def test_a_second_answer_is_none() -> None:
    parser, body = read(WHOLE["length"] + WHOLE["length"])
    assert (body, parser.fault) == (b"", "bytes came beyond the end of the body")


def test_a_reason_in_many_pieces_is_bounded_as_one_is_and_begins_anew_after_1xx() -> None:
    parser, _ = read(b"HTTP/1.1 103 " + b"a" * 40 + b"\r\n\r\nHTTP/1.1 200 " + b"a" * 40, b"\r\n\r\n")
    assert (parser.reason, parser.fault) == ("a" * 40, None)
    parser, _ = read(b"HTTP/1.1 200 ", *[b"a" * 8] * 6, b"a" * 40 + b"\r\n\r\n")
    assert parser.fault == "the status line is too long"


def test_a_chunk_that_is_broken_is_a_fault_in_a_later_read_too() -> None:
    parser, body = read(C, b"2\r\nok\r\n", b"zz\r\n")
    assert (body, parser.ended, parser.fault is not None) == (b"ok", False, True)


def test_several_chunks_in_a_later_read_are_joined() -> None:
    parser, body = read(C, b"2\r\nok\r\n1\r\n!\r\n", b"0\r\n\r\n")
    assert (body, parser.ended, parser.fault) == (b"ok!", True, None)
