from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.corpora import root
from wiretape.errors import FrameTooLarge
from wiretape.wire.sse import Frame, Framer

LINES = st.sampled_from(
    [
        b"event: thread.run.created",
        b"event:x",
        b"event",
        b'data: {"id":"a"}',
        b"data:b",
        b"data",
        b"data: \xc3\xa4",
        b"id: 7",
        b"id: a\0",
        b"retry: 10",
        b"retry: x",
        b": ping",
        b"",
        b"\xef\xbb\xbf",
        b"Data: no",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b""])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=14).map(lambda pairs: b"".join(a + b for a, b in pairs))


def framed(pieces: list[bytes], frame_bytes_max: int = 1 << 20) -> list[Frame]:
    framer = Framer(frame_bytes_max)
    return [frame for piece in pieces for frame in framer.feed(piece)] + framer.finish()


def sliced(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def told(data: bytes) -> list[tuple[str, bytes | None]]:
    return [(frame.event, frame.data) for frame in framed([data])]


@given(STREAMS, st.lists(st.integers(0, 9), max_size=30))
def test_any_cut_gives_the_same_frames_and_they_join_to_the_input(stream: bytes, cuts: list[int]) -> None:
    pieces, rest = [], stream
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    whole = framed([stream])
    assert framed([*pieces, rest]) == whole
    assert framed(sliced(stream, 1)) == whole
    assert b"".join(frame.raw for frame in whole) == stream


@given(st.binary(max_size=200))
def test_any_bytes_are_framed(stream: bytes) -> None:
    whole = framed([stream])
    assert framed(sliced(stream, 3)) == whole
    assert b"".join(frame.raw for frame in whole) == stream


@given(STREAMS, st.integers(1, 12), st.integers(1, 40))
def test_the_bound_cuts_at_the_same_frame_however_the_bytes_come(stream: bytes, size: int, bound: int) -> None:
    assert until_refused(sliced(stream, size), bound) == until_refused([stream], bound)


@given(STREAMS, st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(4, 40))
def test_a_framer_that_skips_leaves_out_the_large_blocks_and_no_others(
    stream: bytes, cuts: list[int], bound: int
) -> None:
    """However they are cut, when the bound is over the length of a byte-order mark."""
    pieces, rest = [], stream
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    whole = framed([stream])
    fitting = [frame for frame in whole if len(frame.raw) <= bound]
    for fed in ([stream], [*pieces, rest], sliced(stream, 1)):
        framer = Framer(bound, skips_large=True)
        assert [frame for piece in fed for frame in framer.feed(piece)] + framer.finish() == fitting
        assert framer.skipped == len(whole) - len(fitting)


def test_what_is_held_of_a_block_that_is_skipped_is_bounded() -> None:
    framer = Framer(50, skips_large=True)
    for _ in range(100):
        assert framer.feed(b"data: " + b"x" * 100) == []
        assert len(framer._held) <= 50
    assert [frame.data for frame in framer.feed(b"\n\ndata: 1\n\n")] == [b"1"]
    assert framer.skipped == 1


def until_refused(pieces: list[bytes], bound: int) -> tuple[list[Frame], bool]:
    framer, frames = Framer(bound), []
    try:
        for piece in pieces:
            frames += framer.feed(piece)
        frames += framer.finish()
    except FrameTooLarge:
        return frames, True
    return frames, False


def wpt_cases() -> list[tuple[str, bytes, list[dict[str, str]]]]:
    cases = json.loads((root() / "hostile/wpt/eventsource/cases.json").read_text("utf-8"))
    streams = [case for case in cases if "input_b64" in case]
    return [(case["name"], base64.b64decode(case["input_b64"]), case["events"]) for case in streams]


def dispatched(frames: list[Frame]) -> list[dict[str, str]]:
    """What a browser would make of the frames (WHATWG HTML 9.2.6)."""
    last_id, events = "", []
    for frame in frames:
        if not frame.whole:
            continue
        last_id = last_id if frame.id is None else frame.id
        if frame.data is not None:
            event = frame.event or "message"
            events.append({"event": event, "data": frame.data.decode("utf-8", "replace"), "last_event_id": last_id})
    return events


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_the_web_platform_tests_agree(size: int) -> None:
    cases = wpt_cases()
    assert len(cases) == 26
    for name, stream, events in cases:
        assert (name, dispatched(framed(sliced(stream, size)))) == (name, events)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\n\n", [("", b"\0\n 2\n1")]),
        (b"data:test\r\ndata\ndata:test\r\n\r\n", [("", b"test\n\ntest"), ("", None)]),
        (b"data:\n\ndata\ndata\n\n", [("", b""), ("", b"\n")]),
        (b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\n", [("", b"1"), ("", None)]),
        (b"\xef\xbb\xbf\n\ndata: 1\n\n", [("", None), ("", None), ("", b"1")]),
        (b"event: a\nevent: b\ndata: 1\n\n", [("b", b"1")]),
        (b"data: 1\nevent: b\n\n", [("b", b"1")]),
        (b"event: a\ndata: 1\ndata: 2\n\n", [("a", b"1\n2")]),
        (b"event: a\ndata: 1\n\nevent: b\n: c\ndata: 2\n\n", [("a", b"1"), ("b", b"2")]),
        (b"event:  a\ndata:\t1\n\n", [(" a", b"\t1")]),
        (b"event: \ndata: 1\n\n", [("", b"1")]),
        (b"event: a\n\n", [("a", None)]),
        (b": ping\n\n\n", [("", None), ("", None)]),
        (b"event: \xff\ndata: \xff\n\n", [("�", b"\xff")]),
    ],
)
def test_fields_are_read_by_the_standard(stream: bytes, expected: list[tuple[str, bytes | None]]) -> None:
    assert told(stream) == expected


def test_id_and_retry_are_kept_for_their_block() -> None:
    stream = b"id: 1\nretry: 030\ndata: a\n\nid\nretry: -1\n\nid: a\0b\nretry: 1234567890123456789\n\n"
    assert [(frame.id, frame.retry) for frame in framed([stream])] == [("1", 30), ("", None), (None, None)]


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_frame_is_handed_out_with_the_byte_that_completes_it(end: bytes) -> None:
    framer = Framer()
    assert framer.feed(b"data: 1" + end) == []
    assert [frame.data for frame in framer.feed(end)] == [b"1"]


def test_cr_at_chunk_end_does_not_delay_the_frame_and_its_lf_opens_the_next() -> None:
    framer = Framer()
    assert [frame.raw for frame in framer.feed(b"data: 1\r\n\r")] == [b"data: 1\r\n\r"]
    assert framer.feed(b"\n") == []
    assert [frame.raw for frame in framer.feed(b"data: 2\r\n\r\n")] == [b"\ndata: 2\r\n\r"]
    assert framer.finish() == [Frame(b"\n")]


@pytest.mark.parametrize(
    ("rest", "frame"),
    [
        (b"event: done\ndata: [DONE]\n", Frame(b"event: done\ndata: [DONE]\n", "done", b"[DONE]", whole=False)),
        (b'event: a\ndata: {"id', Frame(b'event: a\ndata: {"id', "a", b'{"id', whole=False)),
        (b"\xef\xbb\xbf", Frame(b"\xef\xbb\xbf", whole=False)),
    ],
)
def test_an_unterminated_rest_is_flushed_and_marked(rest: bytes, frame: Frame) -> None:
    assert framed([rest]) == [frame]


def test_nothing_is_left_of_a_whole_stream() -> None:
    framer = Framer()
    framer.feed(b"data: 1\n\n")
    assert framer.finish() == []


@pytest.mark.parametrize("stream", [b"data: 123\n\n", b"event: a\ndata: 1\n\n", b"data: 123\r\r"])
def test_a_frame_of_the_bound_passes_and_one_byte_more_does_not(stream: bytes) -> None:
    assert len(framed([stream], len(stream))) == 1
    for pieces in ([stream], sliced(stream, 1)):
        with pytest.raises(FrameTooLarge):
            framed(pieces, len(stream) - 1)


def test_the_frames_before_one_that_is_too_large_are_handed_out() -> None:
    framer = Framer(20)
    assert [frame.data for frame in framer.feed(b"data: 1\n\n" + b"data: " + b"x" * 30)] == [b"1"]
    for call in (lambda: framer.feed(b"x"), framer.finish):
        with pytest.raises(FrameTooLarge, match="20 bytes"):
            call()


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_each_byte_is_searched_a_fixed_number_of_times(line_end: bytes) -> None:
    """A block of 100 KB, one byte at a time: quadratic work would be 5 GB of searching."""
    framer = Framer()
    body = b"event: x" + line_end + b"data: " + b"y" * 100_000
    assert [frame for piece in sliced(body, 1) for frame in framer.feed(piece)] == []
    assert framer._searched == len(body) - 1
    assert [len(frame.data or b"") for frame in framer.feed(line_end * 2)] == [100_000]


def test_many_event_names_are_not_all_remembered() -> None:
    framer = Framer()
    names = [f"name.{number}" for number in range(200)]
    frames = framer.feed(b"".join(f"event: {name}\ndata: 1\n\n".encode() for name in names))
    assert [frame.event for frame in frames] == names
    assert len(framer._names) == 64


@pytest.mark.parametrize(
    "second",
    [
        b"event: a\nid: 5\n\n",
        b"event: a\ndata: 1\n\r",
        b"event: a\ndata: 1\nx",
        b"event: a\ndata: 1\n\n\n",
        b"event: a\n\n",
    ],
)
def test_a_read_that_only_looks_like_one_event_of_a_known_name_is_read_as_any_other(second: bytes) -> None:
    whole = b"event: a\ndata: 0\n\n" + second
    assert framed([b"event: a\ndata: 0\n\n", second]) == framed(sliced(whole, 1))
