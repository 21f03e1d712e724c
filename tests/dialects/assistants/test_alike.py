"""A stream's reader says of every frame what `event` says, whatever went before."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.corpora import recorded
from support.streams import frames
from wiretape.dialects import assistants
from wiretape.dialects.events import Content, ContentKind, Facts
from wiretape.errors import DecodeFailed
from wiretape.wire.sse import Frame, Framer

MESSAGE, STEP = "thread.message.delta", "thread.run.step.delta"
WORDS = st.one_of(
    st.sampled_from(["", " word", "a", '"', "\\", "é", "\u2028", "\x00", "\x7f", '","value":"', "}", "data: "]),
    st.text(max_size=8),
)
IDS = st.sampled_from(["msg_1", "msg_2", "step_1"])
LAYOUTS = st.sampled_from([(",", ":"), (", ", ": ")])


def frame(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def said(*words: str, spaced: bool = False) -> bytes:
    """A delta's data; the words are as they stand in JSON."""
    parts = ",".join(f'{{"text":{{"value":"{word}"}}}}' for word in words)
    data = f'{{"delta":{{"content":[{parts}]}}}}'
    return (data.replace(":", ": ") if spaced else data).encode()


@st.composite
def deltas(draw: st.DrawFn) -> bytes:
    """A delta, mostly of text; now and then with two words, a word that is no text, or bytes that are no JSON."""
    word, other = draw(WORDS), draw(WORDS)
    name, told = draw(
        st.sampled_from(
            [
                (MESSAGE, {"content": [{"index": 0, "type": "text", "text": {"value": word}}]}),
                (MESSAGE, {"content": [{"index": 0, "type": "text", "text": {"value": word, "value2": other}}]}),
                (MESSAGE, {"content": [{"text": {"value": word}}, {"text": {"value": other}}]}),
                (MESSAGE, {"content": [{"type": "refusal", "refusal": other, "value": word}]}),
                (MESSAGE, {"content": [{"type": "text", "text": {"annotations": [{"value": word}]}}]}),
                (STEP, {"step_details": {"tool_calls": [{"function": {"arguments": word}}]}}),
                (STEP, {"step_details": {"tool_calls": [{"id": "call_1", "function": {"arguments": word}}]}}),
                (STEP, {"step_details": {"tool_calls": [{"code_interpreter": {"input": word, "x": other}}]}}),
                (MESSAGE, word),
                ("thread.message.unheard", {"value": word}),
            ]
        )
    )
    data = json.dumps({"id": draw(IDS), "delta": told}, ensure_ascii=draw(st.booleans()), separators=draw(LAYOUTS))
    raw = frame(name, data.encode("utf-8", "surrogatepass"))
    return draw(st.sampled_from([raw, raw, raw, raw.replace(b"}}", b"}", 1), raw.replace(b"word", b"w\xffrd")]))


def read(reader: assistants.alike.Deltas, one: Frame) -> Facts | str:
    try:
        return reader.event(one)
    except DecodeFailed as error:
        return str(error)


def by_itself(one: Frame) -> Facts | str:
    try:
        return assistants.event(one)
    except DecodeFailed as error:
        return str(error)


@given(st.lists(deltas(), max_size=12))
@example([frame(MESSAGE, said("a")), frame(MESSAGE, said(""))])
def test_it_says_of_each_frame_what_is_said_of_it_alone(raws: list[bytes]) -> None:
    reader = assistants.reader()
    for one in Framer().feed(b"".join(raws)):
        if one.data is not None:
            assert read(reader, one) == by_itself(one)


@given(st.lists(deltas(), max_size=6), deltas() | st.binary(max_size=40))
def test_bytes_that_are_alike_are_one_frame_that_says_so(raws: list[bytes], other: bytes) -> None:
    reader = assistants.reader()
    for one in Framer().feed(b"".join(raws)):
        if one.data is not None:
            read(reader, one)
    known = reader.alike(other)
    if known is not None:
        (one,) = Framer().feed(other)
        assert (one.raw, by_itself(one)) == (other, known)


@pytest.mark.parametrize(
    ("first", "second", "is_alike"),
    [
        (said("a"), said("other words"), True),
        (said("a", spaced=True), said("b", spaced=True), True),
        (said("a"), said("a", spaced=True), False),
        (said("a"), said(""), False),
        (said("a"), said(r"\""), False),
        (said("a"), said("é"), False),
        (said("é"), said("a"), False),
        (said("a"), said("a").replace(b"{", b'{"id":"m",', 1), False),
        (said("a", "b"), said("c", "b"), False),
    ],
)
def test_only_a_plain_word_in_the_same_place_is_alike(first: bytes, second: bytes, *, is_alike: bool) -> None:
    reader = assistants.reader()
    assert reader.event(Framer().feed(frame(MESSAGE, first))[0]) == (Content(ContentKind.TEXT),)
    assert (reader.alike(frame(MESSAGE, second)) is not None) == is_alike


@pytest.mark.parametrize(
    "raw",
    [
        b'data: {"object":"thread.message.delta","delta":{"content":[{"text":{"value":"a"}}]}}\n\n',
        b'event: thread.message.delta\nid: 1\ndata: {"delta":{"content":[{"text":{"value":"a"}}]}}\n\n',
        b'event: thread.message.delta\r\ndata: {"delta":{"content":[{"text":{"value":"a"}}]}}\n\n',
        b'event: thread.message.delta\ndata:{"delta":\ndata:{"content":[{"text":{"value":"a"}}]}}\n\n',
    ],
)
def test_nothing_is_learned_of_a_frame_in_another_form(raw: bytes) -> None:
    reader = assistants.reader()
    (one,) = Framer().feed(raw)
    assert reader.event(one) == (Content(ContentKind.TEXT),)
    assert reader.alike(raw) is None


def test_it_says_the_same_of_every_recorded_stream() -> None:
    quick = 0
    for exchange in recorded():
        reader = assistants.reader()
        for one in frames(exchange.body) if exchange.streamed else ():
            quick += reader.alike(one.raw) is not None
            assert read(reader, one) == by_itself(one)
    assert quick > 600
