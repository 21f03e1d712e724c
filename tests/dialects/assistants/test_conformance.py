"""Real traffic of others: every Assistants answer in the corpora, and our own recordings without them."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from openai._streaming import SSEDecoder

from support.corpora import HAND_EDITED, hand_edited, recorded
from support.streams import NAMES, frames, stream
from wiretape import dialects
from wiretape.dialects import assistants
from wiretape.dialects.assistants.decode import EVENTS, decode
from wiretape.dialects.events import Fact, Unknown
from wiretape.wire.sse import Frame


def by_the_sdk(body: bytes) -> list[tuple[str, str]]:
    """An independent parser of the same bytes."""
    return [(sse.event or "", sse.data) for sse in SSEDecoder().iter_bytes(iter([body]))]


def by_us(body: bytes) -> list[tuple[str, str]]:
    return [(frame.event, frame.data.decode()) for frame in frames(body) if frame.data is not None]


def told(frame: Frame) -> tuple[Fact, ...]:
    return assistants.event(frame) if frame.data is not None else ()


@pytest.mark.parametrize("name", NAMES)
def test_our_recordings_are_read_as_the_sdk_reads_them(name: str) -> None:
    assert by_us(stream(name)) == by_the_sdk(stream(name))


def test_every_recorded_stream_is_read_as_the_sdk_reads_it() -> None:
    streams = [one for one in recorded() if one.streamed]
    assert len(streams) >= 15
    for one in streams:
        assert (one.source, by_us(one.body)) == (one.source, by_the_sdk(one.body))


def test_every_recorded_event_decodes_under_its_own_name() -> None:
    counted: Counter[str] = Counter()
    for one in recorded():
        for frame in frames(one.body) if one.streamed else ():
            assert frame.whole
            assert type(decode(frame.event, frame.data or b"")) is EVENTS[frame.event]
            assert frame.event == "done" or msgspec.json.decode(frame.data or b"", type=EVENTS[frame.event])
            counted[frame.event] += 1
    assert counted["thread.message.delta"] > 500
    assert counted["thread.run.created"] >= 13
    assert counted["done"] >= 15


def test_no_recorded_event_is_unknown_and_no_field_of_today_is() -> None:
    """Recordings of before May 2024 have `file_ids`, which is gone since."""
    for one in recorded():
        facts = [fact for frame in (frames(one.body) if one.streamed else ()) for fact in told(frame)]
        unknown = [fact for fact in facts if isinstance(fact, Unknown)]
        assert all(fact == Unknown(fields=1) for fact in unknown)
        assert not unknown or b'"file_ids":[]' in one.body


def test_every_recorded_json_answer_is_read() -> None:
    read = 0
    for one in recorded():
        found = dialects.route(one.method, one.target.partition("?")[0])
        if found is not None and not one.streamed and one.status == 200 and one.body:
            dialect, route = found
            dialect.answer(route, one.body)
            read += 1
    assert read > 900


def test_hand_edited_streams_are_read_as_far_as_the_standard_allows() -> None:
    """One block each: the last name counts, and all data lines are joined, as an independent parser does it."""
    seen = hand_edited()
    assert {name for name, _ in seen} == HAND_EDITED
    for _, body in seen:
        assert b"".join(frame.raw for frame in frames(body)) == body
        assert by_us(body + b"\n\n") == by_the_sdk(body + b"\n\n")
