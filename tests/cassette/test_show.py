from msgspec.structs import replace

from support.tapes import JSON, STREAM, request, taken, tape
from wiretape.cassette.format import Header, Tape
from wiretape.cassette.show import Summary, printable, show, shown, summary
from wiretape.exchange import How

FRAMES = [b"event: a\ndata: 1\n\n: x\n\n", b"data: \xff\x1b[31m\n\n"]


def test_a_tape_is_shown_with_requests_answers_and_frames_with_times() -> None:
    content = tape(
        taken(request("POST", headers=JSON), b'{"a":1}', chunks=[b'{\n  "id": 1\n}']),
        taken(request("GET", "/v1/runs"), headers=STREAM, chunks=FRAMES, how=How.CLIENT_LEFT, index=2),
    )
    assert list(show(content)) == [
        "2 interactions, recorded 2026-11-23T03:00:00Z from https://api.example.com",
        "",
        "#1 POST /v1/threads  (default)",
        "> Content-Type: application/json",
        ">",
        '> {"a":1}',
        "< 200  complete, 13 bytes",
        "< Content-Type: application/json",
        "<",
        "< {",
        '<   "id": 1',
        "< }",
        "",
        "#2 GET /v1/runs  (default)",
        "< 200  client_left, 37 bytes",
        "< Content-Type: text/event-stream; charset=utf-8",
        "       10 ms  event: a | data: 1",
        "       10 ms  : x",
        "       20 ms  data: \\xff\\x1b[31m",
    ]


def test_times_that_do_not_fit_or_are_unknown_are_not_shown() -> None:
    (one,) = tape(taken(request(), headers=STREAM, chunks=FRAMES)).interactions
    for odd in (replace(one, chunks=()), replace(one, times_known=False)):
        lines = list(show(Tape(header=Header(), interactions=(odd,), notes=("edited",))))
        assert lines[:2] == ["1 interactions, recorded at an unknown time from ", "note: edited"]
        assert lines[-1] == "        ? ms  data: \\xff\\x1b[31m"


def test_an_exchange_without_an_answer_is_shown_as_that() -> None:
    content = tape(taken(request(), how=How.CANCELLED)[:1])
    assert "< no answer  recorder, 0 bytes" in list(show(content))


def test_long_bodies_are_cut() -> None:
    lines = list(show(tape(taken(request(), chunks=[b"x\n" * 300]))))
    assert lines[-1] == "< … 100 more lines"


def test_nothing_that_steers_a_terminal_is_shown() -> None:
    assert printable("a\x1b[31m\r\u202eé") == "a\\x1b[31m\\r\\u202eé"


def test_a_summary_counts() -> None:
    content = tape(taken(request()), taken(request(), how=How.CANCELLED, index=2))
    assert summary("talks/a", content, 99, sealed=True) == Summary(
        name="talks/a", interactions=2, bytes=99, recorded="2026-11-23T03:00:00Z", incomplete=1, sealed=True
    )


DELTAS = [b'data: {"delta":{"text":{"value":"%s"}}}\n\n' % part for part in (b"Hel", b"lo\\nyou")]


def test_the_text_that_deltas_come_to_is_shown_behind_them() -> None:
    lines = list(show(tape(taken(request(), headers=STREAM, chunks=DELTAS))))
    assert lines[-2:] == ["= Hello", "= you"]


def test_a_program_gets_an_interaction_whole() -> None:
    content = tape(
        taken(request("POST", headers=JSON), b"{}", headers=STREAM, chunks=DELTAS),
        taken(request(), chunks=[b"\xff"], index=2),
    )
    streamed, plain = map(shown, content.interactions)
    assert (streamed.index, streamed.method, streamed.target, streamed.request_body) == (1, "POST", "/v1/threads", "{}")
    assert (streamed.status, streamed.how, streamed.body) == (200, "complete", "")
    assert streamed.request_headers == [("Content-Type", "application/json")]
    assert streamed.frames == [(10, DELTAS[0].decode()), (20, DELTAS[1].decode())]
    assert streamed.texts == ["Hello\nyou"]
    assert (plain.body, plain.frames) == ("\\xff", [])
