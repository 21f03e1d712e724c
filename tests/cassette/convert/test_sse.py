import pytest

from support.tapes import only
from wiretape.cassette.convert import sse
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Ended
from wiretape.errors import ImportRefused

STREAM = b'event: thread.run.created\ndata: {"id":"run_abc123"}\n\n: keep-alive\n\nevent: done\ndata: [DONE]\n\n'


def test_a_stream_becomes_the_answer_to_one_request() -> None:
    imported = read(STREAM)
    one = only(imported.tape)
    assert (imported.kind, one.body, one.how, len(one.frames)) == ("sse", STREAM, Ended.COMPLETE, 3)
    assert (one.method, one.target, one.request_body) == ("POST", "/v1/threads/runs", b'{"stream":true}')
    assert (imported.tape.notes, imported.tape.header.upstream, one.times_known) == ((), "", False)


@pytest.mark.parametrize(
    ("data", "target"),
    [
        (b'event: thread.created\ndata: {"id":"thread_abc123"}\n\n', "/v1/threads/runs"),
        (b'event: thread.run.created\ndata: {"thread_id":"thread_abc123"}\n\n', "/v1/threads/thread_abc123/runs"),
        (b'event: thread.run.created\ndata: {"thread_id":"thread_a b"}\n\n', "/v1/threads/runs"),
        (b'event: thread.run.created\ndata: {"thread_id":1}\n\n', "/v1/threads/runs"),
        (b"event: response.created\ndata: {}\n\n", "/v1/responses"),
        (b'data: {"type":"response.created"}\n\n', "/v1/responses"),
        (b': hi\n\ndata: {"object":"chat.completion.chunk"}\n\n', "/v1/chat/completions"),
        (b'data: {"object":"text_completion"}\n\n', "/v1/completions"),
        (b'data: {"type":"transcript.text.delta"}\n\n', "/v1/audio/transcriptions"),
        (b'data: {"object":"chat.completion.chunk"}\ndata: {"type":"ping"}', "/v1/chat/completions"),
        (b"data: [DONE]\n\n", "/v1/threads/runs"),
        (b"data: \xff\n\n", "/v1/threads/runs"),
    ],
)  # fmt: skip
def test_the_first_event_tells_the_target(data: bytes, target: str) -> None:
    assert only(read(data).tape).target == target


def test_the_request_can_be_said() -> None:
    asked = sse.Asked(method="GET", url="https://api.example.com/v1/x?a=1", body=b"")
    tape = read(STREAM, asked=asked).tape
    one = only(tape)
    assert (one.method, one.target, one.request_headers) == ("GET", "/v1/x?a=1", ())
    assert tape.header.upstream == "https://api.example.com"


@pytest.mark.parametrize(
    "data",
    [b"data: 1\n\n", b"\xef\xbb\xbfdata: 1\n\n", b"\r\n\ndata: 1\r\n\r\n", b": hi\n\ndata:1\n\n",
     b"id: 1\ndata: \xff\n\n", b"retry: 3\rdata: 1\r\r"],
)  # fmt: skip
def test_the_bytes_are_taken_as_they_are(data: bytes) -> None:
    assert only(read(data).tape).body == data


def test_a_stream_without_blank_lines_is_one_event_and_is_told() -> None:
    merged = b"event: a\ndata: 1\nevent: b\ndata: 2"
    tape = read(merged).tape
    assert only(tape).body == merged
    assert tape.notes == (
        "Interaction 1: 1 of its blocks hold several `event` lines: without blank lines a client sees one event.",
        "Interaction 1: Its last event ends without a blank line: a browser drops it.",
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"event: a\n\n", "no line of it begins with `data:`"),
        (b": only a comment\n\n", "no line of it begins with `data:`"),
        (b"data: " + b"x" * (17 << 20), "A block of this event stream is over"),
    ],
)
def test_what_is_no_stream_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImportRefused, match=reason):
        read(data)


@pytest.mark.parametrize("data", [b"data:\n  pairs: []\n", b"data: {\n  1: 2}\n\n", b"\n\n", b"database: 1\n"])
def test_what_only_begins_like_a_stream_is_none(data: bytes) -> None:
    assert not sse.is_one(data)


def test_a_line_that_is_longer_than_what_is_looked_at_does_not_count_against_a_stream() -> None:
    assert sse.is_one(b"data: " + b"x" * (1 << 17) + b"\n\n")
    assert sse.is_one(b"id: 1\n" + b"data: 1\n\n" * (1 << 13) + b"d")
