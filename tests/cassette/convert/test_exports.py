"""What is exported comes back: every property of a round trip, and what each format says it lost."""

import http.client
import json
from datetime import timedelta
from typing import Any

import pytest
import vcr
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.golden import FOLDER
from support.tapes import HEADER, JSON, STREAM
from wiretape.cassette.convert.exports import EXPORTS
from wiretape.cassette.convert.foreign import Foreign, tape_of
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Ended, Header, Interaction, Tape, recorded_at
from wiretape.edge.store import load
from wiretape.errors import ImportRefused
from wiretape.exchange import Headers, How

NAMES = st.sampled_from([b"x-a", b"X-A", b"x-b", b"Location", b"content-encoding"])
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12).map(str.encode)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple)
TARGETS = st.text(st.characters(codec="utf-8", min_codepoint=33, exclude_characters="#\x7f"), max_size=20)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)
BODIES = TEXTS | st.binary(max_size=40) | st.sampled_from([b"", b'{"id":"run_abc123"}', b"\xc2\x85 \xef\xbb\xbf\r\n"])
FRAMES = st.lists(
    st.sampled_from(
        [b"data: 1\n\n", b"event: a\nid: 7\ndata: x\n\n", b": hi\n\n", b"data: \xff\r\n\r\n", b"data: cut"]
    ),
    max_size=5,
)


def cut(body: bytes, sizes: list[int]) -> tuple[int, ...]:
    """The body in pieces of about these sizes."""
    ends = sorted({min(size, len(body)) for size in sizes} | {len(body)})
    return tuple(end - start for start, end in zip([0, *ends], ends, strict=False) if end > start)


@st.composite
def exchanges(draw: st.DrawFn) -> Foreign:
    streamed = draw(st.booleans())
    body = b"".join(draw(FRAMES)) if streamed else draw(BODIES)
    sizes = cut(body, draw(st.lists(st.integers(1, 40), max_size=3))) if draw(st.booleans()) else ()
    return Foreign(
        method=draw(st.sampled_from(["GET", "POST", "DELETE", "x-y"])),
        url="https://api.example.com/" + draw(TARGETS),
        request_headers=draw(FIELDS),
        request_body=draw(BODIES),
        status=draw(st.sampled_from([200, 201, 204, 302, 429, 599, 999])),
        headers=(STREAM if streamed else JSON) + draw(FIELDS),
        body=body,
        how=draw(st.sampled_from([How.COMPLETE, How.COMPLETE, How.UPSTREAM_FAILED, How.CLIENT_LEFT])),
        session=draw(st.sampled_from(["default", "b"])),
        began=draw(st.none() | st.floats(1_700_000_000, 1_700_000_100)),
        reads=tuple((draw(st.integers(0, 5000)), size) for size in sizes),
    )


TAPES = st.lists(exchanges(), max_size=3).map(lambda some: tape_of(some, Header(by="wiretape test")))


def exported(tape: Tape, kind: str) -> bytes:
    ((name, data),) = EXPORTS[kind](tape).parts
    assert name == ""
    return data


def exact(one: Interaction) -> tuple[object, ...]:
    request = one.method, one.target, one.request_headers, one.request_body
    return (*request, one.status, one.headers, one.body, one.frames, one.how, one.session, *paced(one))


def paced(one: Interaction) -> tuple[object, ...]:
    """The reads, where they were timed; a body of unknown pace may have come in any pieces."""
    return (one.chunks,) if one.chunks and one.times_known else ()


def grouped(headers: Headers) -> dict[bytes, list[bytes]]:
    return {name: [value for other, value in headers if other == name] for name, _ in headers}


def loose(one: Interaction) -> tuple[object, ...]:
    request = one.method, one.target, grouped(one.request_headers), one.request_body
    return (*request, one.status, grouped(one.headers), one.body, one.frames)


def served(tape: Tape) -> list[Interaction]:
    return [one for one in tape.interactions if one.playable]


@given(TAPES)
def test_har_gives_back_all_that_replay_serves_and_its_pace(tape: Tape) -> None:
    again = read(exported(tape, "har"), kind="har").tape
    assert [exact(one) for one in again.interactions] == [exact(one) for one in served(tape)]


@given(TAPES)
def test_har_gives_back_when_it_was(tape: Tape) -> None:
    again = read(exported(tape, "har"), kind="har").tape
    assert moments(again, again.interactions) == moments(tape, served(tape))


def moments(tape: Tape, interactions: Any) -> list[object]:
    began = recorded_at(tape.header)
    return [began and began + timedelta(milliseconds=one.t0_ms) for one in interactions]


@given(TAPES)
def test_vcr_gives_back_requests_heads_and_bodies(tape: Tape) -> None:
    again = read(exported(tape, "vcr"), kind="vcr").tape
    assert [loose(one) for one in again.interactions] == [loose(one) for one in served(tape)]


@given(TAPES)
def test_streams_are_the_bytes_they_were(tape: Tape) -> None:
    parts = [data for _, data in EXPORTS["sse"](tape).parts]
    assert parts == [one.body for one in served(tape) if b"text/event-stream" in one.headers[0][1]]


@given(st.lists(exchanges(), max_size=3), st.sampled_from(sorted(EXPORTS)))
def test_the_same_tape_is_the_same_file(some: list[Foreign], kind: str) -> None:
    tape = tape_of(some, HEADER)
    assert EXPORTS[kind](tape) == EXPORTS[kind](tape)


def interaction(**more: Any) -> Interaction:
    usual: dict[str, Any] = {"index": 1, "method": "GET", "target": "/v1/x", "status": 200, "how": Ended.COMPLETE}
    return Interaction(**usual | more)


def lost(kind: str, *interactions: Interaction, header: Header = HEADER) -> tuple[str, ...]:
    return EXPORTS[kind](Tape(header=header, interactions=interactions)).lost


def test_what_is_not_served_is_left_out_and_told() -> None:
    cut_off, headless = interaction(how=Ended.RECORDER), interaction(index=2, status=None)
    starred = interaction(index=3, target="*")
    for kind in EXPORTS:
        assert lost(kind, cut_off, headless, starred)[:3] == (
            "Interaction 1 is left out: it has no answer that replay would serve.",
            "Interaction 2 is left out: it has no answer that replay would serve.",
            "Interaction 3 is left out: its target is no path.",
        )


@pytest.mark.parametrize("kind", ["har", "vcr"])
def test_what_is_spelled_otherwise_is_told(kind: str) -> None:
    latin = interaction(headers=((b"x", b"\xe9"),), target="/a#b?key={{secret:key#1}}", enc="gzip")
    tape = Tape(header=HEADER, interactions=(latin, interaction(index=2, request_enc="gzip")))
    assert lost(kind, *tape.interactions)[:3] == (
        "Interaction 1: a `#` in its target is written as %23.",
        "Interaction 1: header values that are no UTF-8 are read as Latin-1.",
        "Interactions 1, 2: that a body came compressed is not kept.",
    )
    again, _ = read(exported(tape, kind)).tape.interactions
    assert (again.target, again.headers) == ("/a%23b?key={{secret:key#1}}", ((b"x", "é".encode()),))


@pytest.mark.parametrize("upstream", ["", "unix:/run/llm.sock"])
def test_what_is_not_known_of_a_recording_is_told(upstream: str) -> None:
    unknown = replace(HEADER, recorded="", upstream=upstream)
    placed = "What it was recorded from is not known as a URL; http://localhost stands there."
    assert lost("vcr", interaction(), header=unknown) == (placed,)
    assert lost("har", interaction(), header=unknown) == (
        placed,
        "When it was recorded is not known; HAR wants a date, so 1970 stands there.",
    )
    text = exported(Tape(header=unknown, interactions=(interaction(),)), "har")
    entry = json.loads(text)["log"]["entries"][0]
    assert (entry["startedDateTime"], entry["request"]["url"]) == ("1970-01-01T00:00:00.000Z", "http://localhost/v1/x")
    assert read(text).tape.header.recorded == ""


def test_vcr_tells_what_it_has_no_place_for() -> None:
    mixed = ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"))
    torn = interaction(how=Ended.UPSTREAM_FAILED, chunks=((3, 1),), body=b"x", headers=mixed)
    other = interaction(index=2, session="b", chunks=((3, 1),), body=b"x", request_headers=mixed)
    assert lost("vcr", torn, other) == (
        "When it was recorded is not kept.",
        "Interaction 1 ended as upstream_failed; VCR.py plays it as if it were whole.",
        "Interactions 1, 2: when each piece came is not kept.",
        "Interactions 1, 2: fields of one name are put together, their order among the others is lost.",
        "Sessions are not kept: all interactions are in one.",
    )
    undated = replace(HEADER, recorded="")
    assert lost("vcr", interaction(chunks=((3, 1),), body=b"x"), header=undated) == (
        "Interaction 1: when each piece came is not kept.",
    )


def test_a_sentence_names_five_interactions_and_counts_the_rest() -> None:
    timed = [interaction(index=index, chunks=((3, 1),), body=b"x") for index in range(1, 9)]
    assert lost("vcr", *timed)[-1] == "Interactions 1, 2, 3, 4, 5 and 3 more: when each piece came is not kept."
    assert lost("vcr", *timed[:6])[-1].startswith("Interactions 1, 2, 3, 4, 5 and 1 more:")
    assert lost("vcr", *timed[:5])[-1].startswith("Interactions 1, 2, 3, 4, 5:")


def test_streams_are_named_by_their_interaction() -> None:
    streams = [interaction(index=index, headers=STREAM, body=b"data: 1\n\n") for index in (2, 10)]
    tape = Tape(header=HEADER, interactions=(interaction(), *streams))
    assert [name for name, _ in EXPORTS["sse"](tape).parts] == ["02.sse", "10.sse"]
    assert EXPORTS["sse"](tape).lost == (
        "1 interactions are left out: they are no event streams.",
        "Only bodies are kept: no requests, heads or times.",
    )


def test_events_stand_in_har_as_a_browser_dispatches_them() -> None:
    body = b": hi\n\nevent: a\nid: 7\ndata: 1\ndata: 2\n\ndata: \xc3\xa9\n\n"
    stream = interaction(headers=STREAM, body=body, t0_ms=500, chunks=((100, 20), (30, 0), (20, len(body) - 20)))
    log = json.loads(exported(Tape(header=HEADER, interactions=(stream,)), "har"))["log"]
    (entry,) = log["entries"]
    assert entry["_eventSourceMessages"] == [
        {"time": 1795402800.65, "eventName": "a", "eventId": "7", "data": "1\n2"},
        {"time": 1795402800.65, "eventName": "message", "data": "é"},
    ]
    assert (entry["startedDateTime"], entry["time"], entry["timings"]) == (
        "2026-11-23T03:00:00.500Z", 150, {"send": 0, "wait": 100, "receive": 50}
    )  # fmt: skip
    assert log["creator"] == {"name": "wiretape", "version": "test"}


def test_a_stream_of_unknown_pace_has_its_events_at_its_beginning() -> None:
    stream = interaction(headers=STREAM, body=b"data: 1\n\n", chunks=((0, 9),), times_known=False)
    (entry,) = json.loads(exported(Tape(header=HEADER, interactions=(stream,)), "har"))["log"]["entries"]
    assert entry["_eventSourceMessages"] == [{"time": 1795402800.0, "eventName": "message", "data": "1"}]
    assert ("_chunks" in entry, entry["time"]) == (False, 0)


def test_a_har_names_query_body_and_redirect_as_the_standard_does() -> None:
    asked = interaction(
        method="POST", target="/v1/x?a=1&b=", request_headers=JSON, request_body=b"{}", status=302,
        headers=((b"Location", b"/y"),),
    )  # fmt: skip
    (entry,) = json.loads(exported(Tape(header=HEADER, interactions=(asked,)), "har"))["log"]["entries"]
    assert entry["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert entry["request"]["postData"] == {"mimeType": "application/json", "text": "{}"}
    assert (entry["response"]["statusText"], entry["response"]["redirectURL"]) == ("Found", "/y")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(ImportRefused, match=r"pip install 'wiretape\[yaml\]'"):
        EXPORTS["vcr"](Tape(header=HEADER))


@pytest.mark.parametrize("name", ["text-run", "tool-run", "polled-run", "error-run", "pages", "refused-calls"])
def test_vcr_py_itself_plays_what_was_exported(name: str, tmp_path: Any) -> None:
    golden = load(FOLDER / f"{name}.tape.jsonl")
    tape = replace(golden, header=replace(golden.header, upstream="https://api.example.com"))
    (tmp_path / "exported.yaml").write_bytes(exported(tape, "vcr"))
    with vcr.use_cassette(str(tmp_path / "exported.yaml"), record_mode="none"):
        for one in tape.interactions:
            client = http.client.HTTPSConnection("api.example.com")
            types = {key.decode(): value.decode() for key, value in one.request_headers if key == b"content-type"}
            client.request(one.method, one.target, one.request_body or None, types)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (one.status, one.body)


def test_every_golden_cassette_survives_both_round_trips() -> None:
    for path in FOLDER.glob("*.tape.jsonl"):
        tape = load(path)
        for kind in ("har", "vcr"):
            again = read(exported(tape, kind)).tape
            assert [loose(one) for one in again.interactions] == [loose(one) for one in bare(tape)]
        assert yaml.safe_load(exported(tape, "vcr"))["version"] == 1


def bare(tape: Tape) -> list[Interaction]:
    """Without the framing that no import trusts."""
    return [
        replace(one, request_headers=unframed(one.request_headers), headers=unframed(one.headers))
        for one in served(tape)
    ]


def unframed(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != b"content-length")
