from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import done, frames, stream, text
from wiretape.dialects import assistants
from wiretape.dialects.events import Asked, Fact, Kind, Route, RunSeen, StreamEnd
from wiretape.exchange import Headers
from wiretape.runs.bodies import JsonAnswer, Question, StreamAnswer, answer
from wiretape.runs.options import RunOptions

POLL, START = Route("/r", Kind.POLL), Route("/r", Kind.START)
GZIP: Headers = ((b"Content-Encoding", b"gzip"),)
SSE: Headers = ((b"Content-Type", b"text/event-stream"),)


def stream_answer(headers: Headers = (), **options: int) -> StreamAnswer:
    return StreamAnswer(assistants, headers, RunOptions(**options))


def json_answer(headers: Headers = (), **options: int) -> JsonAnswer:
    return JsonAnswer(assistants, POLL, headers, RunOptions(**options))


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/json", JsonAnswer),
        (b"text/event-stream; charset=utf-8", StreamAnswer),
        (b"text/html", type(None)),
    ],
)
def test_the_content_type_tells_how_an_answer_is_read(content_type: bytes, expected: type) -> None:
    assert type(answer(assistants, POLL, ((b"content-type", content_type),), RunOptions())) is expected


def test_a_compressed_json_answer_is_undone() -> None:
    read = json_answer(GZIP)
    for byte in gzip.compress(done()):
        assert read.feed(bytes([byte])) == ()
    assert [type(fact) for fact in read.finish(is_whole=True)] == [RunSeen]
    assert read.errors == 0


@pytest.mark.parametrize(
    ("headers", "body", "options"),
    [
        ((), b"<html>", {}),
        ((), done(), {"body_bytes_max": 10}),
        (GZIP, gzip.compress(done() + b" " * 1000), {"body_bytes_max": 1000}),
        (GZIP, done(), {}),
        (GZIP, gzip.compress(done())[:-9], {}),
        (((b"content-encoding", b"br"),), done(), {}),
    ],
)
def test_a_json_answer_that_cannot_be_read_is_counted(headers: Headers, body: bytes, options: dict[str, int]) -> None:
    read = json_answer(headers, **options)
    read.feed(body)
    assert (read.finish(is_whole=True), read.errors) == ((), 1)


def test_a_body_over_the_bound_is_let_go() -> None:
    read = json_answer(body_bytes_max=10)
    read.feed(b"x" * 10)
    read.feed(b"x")
    assert read._held._pieces == []


def test_a_compressed_stream_is_undone() -> None:
    read = stream_answer(GZIP)
    told = read.feed(gzip.compress(stream("failed"))) + read.finish(is_whole=True)
    assert [fact.status for fact in told if isinstance(fact, RunSeen)][-1] == "failed"
    assert (read.events, read.errors) == (12, 0)


def test_a_bad_event_is_counted_and_the_rest_is_read() -> None:
    read = stream_answer()
    assert read.feed(b"event: thread.run.queued\ndata: {\n\n: ping\n\nevent: done\ndata: [DONE]\n\n") == [StreamEnd()]
    assert (read.events, read.errors) == (2, 1)


def test_an_unterminated_event_is_read_if_it_can_be() -> None:
    read = stream_answer()
    assert read.feed(b'event: thread.run.queued\ndata: {"id": "r"}') == []
    assert [type(fact) for fact in read.finish(is_whole=True)] == [RunSeen]


@pytest.mark.parametrize(("is_whole", "errors"), [(True, 1), (False, 0)])
def test_a_body_that_was_broken_off_is_no_error(is_whole: bool, errors: int) -> None:
    readers = [(json_answer(), b'{"id":'), (stream_answer(), b'event: thread.run.queued\ndata: {"id":')]
    for read, body in readers:
        read.feed(body)
        assert not read.finish(is_whole=is_whole)
        assert read.errors == errors


@pytest.mark.parametrize(
    ("headers", "body", "options"),
    [
        (GZIP, b"data: no gzip\n\n", {}),
        (GZIP, gzip.compress(b"data: " + b"x" * 1000), {"stream_bytes_max": 100}),
    ],
)
def test_a_stream_that_cannot_be_read_on_is_lost_and_counted(
    headers: Headers, body: bytes, options: dict[str, int]
) -> None:
    read = stream_answer(headers, **options)
    assert (read.feed(body), read.feed(b"data: more\n\n"), read.finish(is_whole=True), read.errors) == ([], [], [], 1)


def test_an_event_that_is_too_large_is_passed_over_and_the_rest_is_read() -> None:
    read = stream_answer(frame_bytes_max=300)
    large = b"event: thread.message.delta\ndata: " + b"x" * 1000
    told: list[Fact] = []
    for piece in (large[:500], large[500:], b"\n", b"\nevent: thread.run.completed\ndata: " + done() + b"\n\n"):
        told += read.feed(piece)
    assert [type(fact) for fact in told] == [RunSeen]
    assert (read.finish(is_whole=True), read.events, read.errors) == ([], 1, 1)


def test_an_event_that_was_too_large_at_the_end_is_counted() -> None:
    read = stream_answer(frame_bytes_max=50)
    read.feed(b"event: done\ndata: [DONE]\n\n" + b"data: " + b"x" * 100)
    assert (read.finish(is_whole=True), read.events, read.errors) == ([], 1, 1)


def test_a_question_is_read_once() -> None:
    question = Question(assistants, START, (), RunOptions())
    question.feed(b'{"assistant_id": "asst_1",')
    question.feed(b'"model": "m"}')
    assert question.asked() is question.asked()
    assert question.asked() == Asked("asst_1", "m")


def test_a_question_that_cannot_be_read_asks_nothing() -> None:
    question = Question(assistants, START, (), RunOptions(body_bytes_max=3))
    question.feed(b'{"assistant_id": "asst_1"}')
    assert (question.asked(), question.asked(), question.errors) == (Asked(), Asked(), 1)


@given(st.lists(st.sampled_from(["a", " word", "", "é", '"']), max_size=20), st.integers(1, 300))
def test_how_a_stream_of_deltas_is_cut_changes_nothing(words: list[str], size: int) -> None:
    body = b"".join(map(text, words)) + done()
    whole, by_frame, by_size = stream_answer(), stream_answer(), stream_answer()
    told = [*whole.feed(body), *whole.finish(is_whole=True)]
    pieces = [frame.raw for frame in frames(body)], [body[at : at + size] for at in range(0, len(body), size)]
    for reader, cut in zip((by_frame, by_size), pieces, strict=True):
        assert [fact for piece in cut for fact in reader.feed(piece)] + reader.finish(is_whole=True) == told
        assert (reader.events, reader.errors) == (whole.events, whole.errors)


def test_a_delta_over_the_bound_is_left_out_though_it_is_like_the_last() -> None:
    reader = stream_answer(frame_bytes_max=200)
    assert len(reader.feed(text("a"))) == len(reader.feed(text("b"))) == 1
    assert reader.feed(text("c" * 200)) == []
    assert (reader.events, reader.errors) == (2, 1)
