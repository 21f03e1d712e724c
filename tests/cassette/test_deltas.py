import json

from hypothesis import given
from hypothesis import strategies as st

from support.tapes import STREAM, only, request, taken, tape
from wiretape.cassette.deltas import joined, pieces


def frame(**delta: object) -> bytes:
    return b"data: " + json.dumps({"delta": delta}).encode() + b"\n\n"


def texts(*frames: bytes) -> list[bytes]:
    return joined(only(tape(taken(request(), headers=STREAM, chunks=frames))))


def test_pieces_of_one_text_belong_together() -> None:
    parts = [frame(content=[{"index": 0, "text": {"value": word}}]) for word in ("Hel", "lo", "")]
    assert texts(*parts) == [b"Hello"]


def test_other_dialects_have_pieces_by_names_of_their_own() -> None:
    older = [
        b'data: {"object":"text_completion","choices":[{"index":0,"text":"%b"}]}\n\n' % part for part in (b"a", b"b")
    ]
    assert texts(*older) == [b"ab"]
    assert texts(*(frame(partial_json=part) for part in "cd"), *(frame(thinking=part) for part in "ef")) == [
        b"cd",
        b"ef",
    ]


def test_calls_made_at_once_are_told_apart_by_their_index() -> None:
    calls = [frame(tool_calls=[{"index": at, "function": {"arguments": part}}]) for at, part in enumerate("abab")]
    twice = [frame(tool_calls=[{"index": at % 2, "function": {"arguments": f"{at}"}}]) for at in range(4)]
    assert texts(*calls) == [b"a", b"b", b"a", b"b"]
    assert texts(*twice) == [b"02", b"13"]


def test_what_is_no_piece_is_passed_over() -> None:
    odd = [frame(value=1, index="x", other="y"), b'data: {"value":"no"}\n\n']
    assert texts(*odd) == []


@given(st.text(), st.text())
def test_a_piece_is_found_where_it_stands_however_it_is_escaped(first: str, second: str) -> None:
    for ascii_only in (True, False):
        both = [json.dumps({"delta": {"value": part}}, ensure_ascii=ascii_only) for part in (first, second)]
        for whole, part in zip(both, (first, second), strict=True):
            raw = whole.encode("utf-8", "surrogatepass")
            (piece,) = pieces(raw)
            assert json.loads(b'"' + raw[piece.start : piece.end] + b'"') == part


def test_every_dialects_deltas_are_pieces() -> None:
    chat = [b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % part for part in (b"a", b"b")]
    responses = [
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%s"}\n\n' % part
        for part in (b"c", b"d")
    ]
    assert texts(*chat, *responses) == [b"ab", b"cd"]
