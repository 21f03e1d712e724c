"""Each fault on golden recordings: what comes, what does not, and that the same words give the same again."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.beta.threads import Run

from support.golden import FOLDER
from support.orders import findings
from wiretape.cassette.fault_words import faults, parse
from wiretape.cassette.faults import Faults, Struck
from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.performance import Performance, perform
from wiretape.cassette.reader import read
from wiretape.wire.headers import is_event_stream

NAMES = ("text-run", "tool-run", "parallel-run", "search-run")


def streams(name: str) -> list[Interaction]:
    tape = read((FOLDER / f"{name}.tape.jsonl").read_bytes(), name)
    return [one for one in tape.interactions if is_event_stream(one.headers)]


STREAMS = [one for name in NAMES for one in streams(name)]
TEXT = perform(streams("text-run")[0], 1)
some_stream = st.sampled_from(STREAMS).map(lambda one: perform(one, 1))


def sse(*events: str, gap_s: float = 1.0) -> Performance:
    pieces = tuple((place * gap_s, f"data: {data}\n\n".encode()) for place, data in enumerate(events))
    return Performance(status=200, headers=((b"Content-Type", b"text/event-stream"),), pieces=pieces)


def struck(word: str, performance: Performance) -> Performance:
    after = parse(word).strike(performance)
    assert after is not None
    return after


def data(performance: Performance) -> list[bytes]:
    return [event.data for event in performance.events]


def byte_times(performance: Performance) -> list[float]:
    return [offset for offset, data in performance.pieces for _ in data]


@given(some_stream, st.data())
def test_cut_breaks_off_after_the_event(stream: Performance, given_: st.DataObject) -> None:
    after = given_.draw(st.integers(0, len(stream.events)))
    cut = struck(f"cut:after={after}", stream)
    assert cut.how is Ended.UPSTREAM_FAILED
    assert data(cut) == data(stream)[:after]
    assert stream.body.startswith(cut.body)
    assert cut.body == b"".join(stream.body[event.start : event.stop] for event in stream.events[:after])


@given(some_stream, st.data())
def test_cut_inside_json_leaves_a_text_that_is_no_json(stream: Performance, given_: st.DataObject) -> None:
    after = given_.draw(st.integers(0, len(stream.events) - 2))
    cut = struck(f"cut:after={after}:inside=json", stream)
    rest = cut.body.rpartition(b"data: ")[2]
    assert len(cut.events) == after
    with pytest.raises(json.JSONDecodeError):
        json.loads(rest)


def test_cut_inside_json_works_on_a_json_answer_too() -> None:
    body = b' {"a": {"b": 1}}\n'
    answer = Performance(status=200, headers=(), pieces=((0, body),))
    cut = struck("cut:inside=json", answer)
    assert (cut.body, cut.how) == (body[: len(cut.body)], Ended.UPSTREAM_FAILED)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.body)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1, max_size=4),
    st.integers(0, 4),
)
def test_cut_inside_a_character_leaves_no_utf_8(texts: list[str], after: int) -> None:
    cut = parse(f"cut:after={after}:inside=character").strike(sse(*texts))
    if after > len(texts) or "".join(texts[after:]).isascii():
        assert cut is None
    else:
        assert cut is not None
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            cut.body.decode()
        assert len(cut.events) >= after


@given(some_stream, st.data())
def test_stall_is_silent_for_ever_or_so_long(stream: Performance, given_: st.DataObject) -> None:
    after = given_.draw(st.integers(0, len(stream.events)))
    for_ever, awhile = struck(f"stall:after={after}", stream), struck(f"stall:after={after}:for_s=2.5", stream)
    assert (for_ever.how, data(for_ever)) == (Ended.CLIENT_LEFT, data(stream)[:after])
    assert (awhile.how, awhile.body) == (stream.how, stream.body)
    place = stream.events[after - 1].stop if after else 0
    late = [offset + (2.5 if place <= byte else 0) for byte, offset in enumerate(byte_times(stream))]
    assert byte_times(awhile) == late


@given(some_stream, st.data())
def test_drop_and_duplicate_change_one_event_and_its_time_is_its_own(
    stream: Performance, given_: st.DataObject
) -> None:
    number = given_.draw(st.integers(1, len(stream.events)))
    told = data(stream)
    assert data(struck(f"drop:event={number}", stream)) == told[: number - 1] + told[number:]
    assert data(struck(f"duplicate:event={number}", stream)) == told[:number] + told[number - 1 :]


@pytest.mark.parametrize("by", ["failed", "expired", "incomplete", "error"])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda one: one.target.rpartition("/")[2])
def test_another_end_is_a_legal_one(stream: Interaction, by: str) -> None:
    ended = struck(f"end:by={by}", replace(perform(stream), how=Ended.CLIENT_LEFT))
    assert ended.how is Ended.COMPLETE
    assert [str(one) for one in findings(ended.body) if one.severity == "error"] == []
    assert [event.name for event in ended.events[-2:]] == ["error" if by == "error" else f"thread.run.{by}", "done"]
    if by != "error":
        run = json.loads(ended.events[-2].data)
        assert (run["status"], run["completed_at"], run["required_action"]) == (by, None, None)
        assert [run[name] is not None for name in ("last_error", "failed_at", "incomplete_details")] == [
            by == "failed", by == "failed", by == "incomplete",
        ]  # fmt: skip
        Run.model_validate({**run, "instructions": ""}, strict=True)


@given(some_stream, st.integers(0, 9), st.integers(1, 64))
def test_recut_gives_the_same_bytes_in_small_pieces_never_early(stream: Performance, seed: int, bytes_max: int) -> None:
    word = f"recut:seed={seed}:bytes_max={bytes_max}"
    recut = struck(word, stream)
    assert recut.body == stream.body
    assert all(len(data) <= bytes_max for _, data in recut.pieces)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(recut.pieces))
    assert recut == struck(word, stream)
    assert bytes_max == 1 or recut != struck(f"recut:seed={seed + 1}:bytes_max={bytes_max}", stream)


def test_answer_is_an_error_that_sdks_parse_before_any_recording_is_used() -> None:
    session = faults(["drop:on=/runs", "recut", "answer:status=503:times=2", "answer:retry_after_s=7"])
    told = [session.instead("/v1/threads") for _ in range(4)]
    assert [one and one.status for one in told] == [503, 503, 429, None]
    assert told[2] is not None
    assert (b"Retry-After", b"7") in told[2].headers
    assert json.loads(told[2].body)["error"]["code"] == "rate_limit_exceeded"
    assert (b"Content-Length", b"%d" % len(told[2].body)) in told[2].headers
    assert session.struck[2:] == (Struck("answer:status=503:times=2", 2), Struck("answer:retry_after_s=7", 1))


def test_an_answer_leaves_recorded_ones_alone() -> None:
    assert faults(["answer"]).on("/v1/threads", TEXT) == TEXT


@pytest.mark.parametrize(
    "word",
    [
        "cut:after=99", "cut:after=2:inside=json", "cut:after=1:inside=character", "stall:after=99", "drop:event=99",
        "duplicate:event=99", "end:by=failed",
    ],
)  # fmt: skip
def test_a_fault_that_cannot_strike_changes_nothing_and_does_not_count(word: str) -> None:
    session, stream = faults([word]), sse("[DONE]", "[DONE]")
    assert session.on("/", stream) == stream
    assert session.struck == (Struck(word, 0),)


@pytest.mark.parametrize("word", ["stall", "drop", "end", "recut", "cut:inside=json"])
def test_a_body_that_is_empty_or_no_stream_of_events_is_left_alone(word: str) -> None:
    empty = Performance(status=200, headers=(), pieces=())
    assert faults([word]).on("/", empty) == empty


def test_faults_strike_in_order_where_and_as_often_as_told() -> None:
    session = faults(["drop:event=1:times=1:on=/runs", "duplicate:event=1"])
    first, second, elsewhere = [session.on(path, sse("a", "b")) for path in ("/runs", "/runs", "/threads")]
    assert [data(one) for one in (first, second, elsewhere)] == [[b"b", b"b"], [b"a", b"a", b"b"], [b"a", b"a", b"b"]]
    assert [one.times for one in session.struck] == [1, 3]
    assert Faults().struck == ()


WORDS = (
    "cut:after=2", "cut:after=1:inside=json", "stall:after=4", "stall:after=1:for_s=2", "drop:event=1", "drop:event=3",
    "duplicate:event=2", "end:by=failed", "end:by=error", "recut:bytes_max=7", "recut:seed=3", "answer",
)  # fmt: skip


@given(some_stream, st.lists(st.sampled_from(WORDS), max_size=5))
def test_any_faults_in_any_order_give_a_performance_that_can_be_served_and_the_same_one_again(
    stream: Performance, words: list[str]
) -> None:
    first, again = [faults(words).on("/runs", stream) for _ in range(2)]
    assert first == again
    assert all(data for _, data in first.pieces)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(first.pieces))
    assert (first.status, first.headers) == (stream.status, stream.headers)
