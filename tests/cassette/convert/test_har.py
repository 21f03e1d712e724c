import base64
import gzip
import json
from typing import Any

import pytest

from support.tapes import KEY, only, sealed
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Ended, Interaction, Tape
from wiretape.errors import ImportRefused

JSON = [{"name": "content-type", "value": "application/json"}]
STREAM = [{"name": "Content-Type", "value": "text/event-stream"}]


def entry(content: object = None, **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "url": "https://api.example.com/v1/threads#x", "headers": JSON, "cookies": []}
    response = {"status": 200, "headers": more.pop("headers", JSON), "content": content}
    response |= {"status": more.pop("status")} if "status" in more else {}
    return {
        "startedDateTime": "2026-01-31T00:12:21.307Z",
        "time": 12.6,
        "request": request | more.pop("request", {}),
        "response": response,
        "timings": {"send": 0, "wait": 12.6, "receive": 0},
    } | more


def file(*entries: object) -> bytes:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": entries}}).encode()


def tape(*entries: object) -> Tape:
    return read(file(*entries)).tape


def taken(content: object = None, **more: Any) -> Interaction:
    return only(tape(entry(content, **more)))


def test_a_har_becomes_a_tape() -> None:
    imported = read(b"\xef\xbb\xbf" + file(entry({"text": '{"id":1}'}, request={"postData": {"text": "{}"}})))
    one = only(imported.tape)
    assert (imported.kind, one.method, one.target, one.request_body) == ("har", "POST", "/v1/threads", b"{}")
    assert (one.status, one.body, one.chunks, one.times_known) == (200, b'{"id":1}', ((13, 8),), True)
    assert (imported.tape.header.recorded, one.t0_ms) == ("2026-01-31T00:12:21Z", 307)


def test_later_entries_begin_later() -> None:
    first, then = tape(entry(), entry(startedDateTime="2026-01-31T01:12:23.007+01:00")).interactions
    assert then.t0_ms - first.t0_ms == 1700


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (None, b""),
        ({"size": 0}, b""),
        ({"text": "é"}, "é".encode()),
        ({"text": base64.b64encode(b"\xff").decode(), "encoding": "base64"}, b"\xff"),
        ({"text": '["aGk=","IQ=="]', "encoding": "base64"}, b"hi!"),
        ({"text": '["6869","21"]', "_isBinary": True}, b"hi!"),
        ({"text": "686921", "_isBinary": True}, b"hi!"),
        ({"text": "[1]", "_isBinary": False}, b"[1]"),
    ],
)
def test_bodies_in_their_encodings(content: object, body: bytes) -> None:
    assert taken(content).body == body


def test_a_compressed_body_is_decoded_and_a_stale_header_dropped() -> None:
    coded = [*JSON, {"name": "content-encoding", "value": "gzip"}]
    packed = base64.b64encode(gzip.compress(b"plain")).decode()
    whole = taken({"text": json.dumps([packed[:12], packed[12:]]), "encoding": "base64"}, headers=coded)
    stale = taken({"text": "plain"}, headers=coded)
    assert (whole.body, whole.enc, stale.body, stale.enc) == (b"plain", "gzip", b"plain", None)


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (None, b""),
        ({"mimeType": "application/json", "text": "{}"}, b"{}"),
        ({"text": "aGk=", "encoding": "base64"}, b"hi"),
        ({"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "c&"}, {"name": "d"}]},
            b"a+b=c%26&d="),
        ({"mimeType": "text/plain", "params": []}, b""),
    ],
)  # fmt: skip
def test_request_bodies(sent: object, body: bytes) -> None:
    assert taken(request={"postData": sent}).request_body == body


def test_a_request_body_that_was_not_saved_is_told() -> None:
    form = {"mimeType": "multipart/form-data; boundary=x", "params": [{"name": "file", "fileName": "a.txt"}]}
    assert tape(entry(request={"postData": form})).notes == (
        "Interaction 1: the body of its request was not saved in the file; replay takes it as empty.",
    )


def test_fields_of_http_2_and_joined_ones_are_taken_apart() -> None:
    headers = [
        {"name": ":status", "value": "200"},
        {"name": "x-a", "value": "1\r\n2"},
        {"name": "x-b", "value": None},
        {"name": "Content-Length", "value": "99"},
    ]
    assert taken(headers=headers).headers == ((b"x-a", b"1"), (b"x-a", b"2"), (b"x-b", b""))


MESSAGES = [
    {"time": 1769818341.307, "eventName": "a", "eventId": "7", "data": "1\n2"},
    {"time": 1769818341.807, "eventName": "message", "data": "é"},
    {"time": 1769818342.307, "data": ""},
]
FRAMES = "event: a\nid: 7\ndata: 1\ndata: 2\n\ndata: é\n\ndata: \n\n".encode()


def test_a_stream_may_stand_in_messages_alone_and_keeps_their_times() -> None:
    one = taken({"size": 9}, headers=STREAM, _eventSourceMessages=MESSAGES)
    assert (one.body, one.chunks, one.times_known) == (FRAMES, ((0, 32), (500, 10), (500, 8)), True)


def test_messages_without_times_or_beside_the_text_give_none() -> None:
    untimed = taken(headers=STREAM, _eventSourceMessages=[{"data": "1"}])
    undated = taken(headers=STREAM, startedDateTime="", _eventSourceMessages=MESSAGES)
    beside = taken({"text": "data: 1\n\n"}, headers=STREAM, _eventSourceMessages=MESSAGES)
    endless = taken(headers=STREAM, _eventSourceMessages=[{"data": "1", "time": 1e308}])
    assert [one.times_known for one in (untimed, undated, beside, endless)] == [False] * 4
    assert beside.body == b"data: 1\n\n"


def test_reads_are_taken_where_they_fit() -> None:
    fits = taken({"text": "abc"}, _chunks=[[5, 1], [7, 2]])
    other = taken({"text": "abc"}, _chunks=[[5, 1], [7, 9]])
    negative = taken({"text": "abc"}, _chunks=[[-5, 1], [7, 2]])
    assert (fits.chunks, fits.times_known) == (((5, 1), (7, 2)), True)
    assert [(one.chunks, one.times_known) for one in (other, negative)] == [(((0, 3),), False)] * 2


@pytest.mark.parametrize(("how", "ended"), [("upstream_failed", Ended.UPSTREAM_FAILED), ("recorder", Ended.COMPLETE)])
def test_how_it_ended_may_be_said(how: str, ended: Ended) -> None:
    one = taken({"text": "abc"}, _how=how, _session="b")
    assert (one.how, one.session) == (ended, "b")


@pytest.mark.parametrize("time", [None, 0, -1, 1e300])
def test_a_time_that_is_none_makes_the_times_unknown(time: float | None) -> None:
    assert not taken({"text": "abc"}, time=time).times_known


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"status": 0}, "it has no final answer, its status is 0"),
        ({"status": 101}, "it has no final answer, its status is 101"),
        ({"request": {"url": "data:image/png;base64,AAAA"}}, "its URL is not one of HTTP"),
        ({"content": {"size": 3}}, "the body of its answer was not saved in the file"),
    ],
)
def test_an_entry_without_an_answer_is_left_out_and_named(more: dict[str, Any], reason: str) -> None:
    found = tape(entry({"text": "kept"}), entry(**more), entry({"text": "kept"}))
    assert [one.body for one in found.interactions] == [b"kept", b"kept"]
    assert found.notes == (f"Interaction 2 is left out: {reason}.",)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_that_has_no_body_needs_none(method: str, status: int) -> None:
    assert taken({"size": 3}, request={"method": method}, status=status).body == b""


def test_many_other_origins_are_told_in_one_note() -> None:
    other = "https://other.example.com"
    others = [entry(request={"url": other}) for _ in range(8)]
    assert tape(entry(), *others).notes == (
        f"Interactions 2, 3, 4, 5, 6 and 3 more were recorded from {other}; replay answers by the path alone.",
    )


def test_secrets_are_redacted_as_in_a_recording() -> None:
    headers = [{"name": "Authorization", "value": f"Bearer {KEY.decode()}"}]
    content = tape(entry({"text": f'{{"said":"{KEY.decode()}"}}'}, request={"headers": headers}))
    assert KEY not in sealed(content)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"log":{}}', "Object missing required field `entries` - at `$.log`"),
        (file({"request": {}}), "Interaction 1 cannot be taken over: This JSON cannot be read: Object missing"),
        (file(entry({"text": "x", "_isBinary": True})), "Interaction 1 cannot be taken over: "),
        (file(entry({"text": "[1]", "encoding": "base64"})), "Expected `str`, got `int`"),
        (file(entry({"text": "a", "encoding": "base64"})), "`text` is no base64"),
        (file(entry(headers=[{"name": "a b", "value": ""}])), "may not stand in one"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(data)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("moment", "recorded"),
    [("", ""), ("yesterday", ""), ("0001-01-01T00:00:00+14:00", ""), ("9999-12-31T23:59:59-14:00", "")],
)
def test_a_moment_that_no_calendar_has_is_left_away(moment: str, recorded: str) -> None:
    assert tape(entry({"text": "x"}, startedDateTime=moment)).header.recorded == recorded
