import base64
import gzip
import json

import pytest
import yaml

from support.tapes import KEY, only, resealed, sealed
from wiretape.cassette.convert import vcr
from wiretape.cassette.convert.formats import read as read_any
from wiretape.cassette.format import Ended, Tape
from wiretape.errors import ImportRefused

SAMPLE = f"""
interactions:
- request:
    body: '{{"assistant_id": "asst_abc123"}}'
    headers:
      authorization: [Bearer {KEY.decode()}]
      content-length: ['31']
      content-type: [application/json]
    method: POST
    uri: https://user:pass@api.example.com/v1/threads?api_key=abcdef123
  response:
    body:
      string: !!binary |
        {base64.b64encode(gzip.compress(b'{"id":"thread_abc123"}')).decode()}
    headers:
      Content-Encoding: [gzip]
      Content-Type: [application/json]
      Transfer-Encoding: [chunked]
      set-cookie: [a=1, b=2]
    status: {{code: 200, message: OK}}
- request:
    body: null
    headers: {{}}
    method: GET
    uri: https://other.example.com
  response:
    body:
      string: "event: thread.created\\ndata: {{\\"id\\":\\"thread_abc123\\"}}\\n\\ndata: [DONE]\\n\\n"
    headers:
      Content-Encoding: [gzip]
      content-type: text/event-stream
    status: {{code: 200, message: OK}}
version: 1
"""


def document(**response: object) -> str:
    status = {} if "status" in response or "status_code" in response else {"status": {"code": 200}}
    request = {"method": "GET", "uri": "https://x/v1/y?z=1", "headers": {}, "body": None}
    return yaml.safe_dump({"version": 1, "interactions": [{"request": request, "response": status | response}]})


def read(content: str, by: str = "") -> Tape:
    return read_any(content.encode(), by, "vcr").tape


def test_a_cassette_of_vcr_py_becomes_a_tape() -> None:
    content = read(SAMPLE, "wiretape test")
    created, listed = content.interactions
    assert (created.method, created.target, created.status) == ("POST", "/v1/threads?api_key={{secret:key#1}}", 200)
    assert created.request_headers == (
        (b"authorization", b"{{secret:bearer#1}}"),
        (b"content-type", b"application/json"),
    )
    assert (created.body, created.enc, created.how) == (b'{"id":"thread_abc123"}', "gzip", Ended.COMPLETE)
    assert [name for name, _ in created.headers] == [b"Content-Type", b"set-cookie", b"set-cookie"]
    assert (listed.target, listed.enc, len(listed.frames), [gap for gap, _ in listed.chunks]) == ("/", None, 2, [0, 0])
    assert not created.times_known
    assert (content.header.by, content.header.recorded) == ("wiretape test", "")
    assert content.header.upstream == "https://api.example.com"
    assert content.notes == (
        "Interaction 2 was recorded from https://other.example.com; replay answers by the path alone.",
    )


def test_an_import_seals_and_loads_back_the_same() -> None:
    content = read(SAMPLE)
    assert resealed(content).interactions == content.interactions
    assert sealed(resealed(content)) == sealed(content)
    assert KEY not in sealed(content)


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"body": {"string": "text"}}, b"text"),
        ({"body": {"string": b"\xff"}}, b"\xff"),
        ({"body": {"string": None}}, b""),
        ({"body": "bare"}, b"bare"),
        ({"body": None}, b""),
        ({}, b""),
        ({"content": "old httpx", "status_code": 201}, b"old httpx"),
        ({"parsed_body": {"a": [1, "é"]}}, '{"a":[1,"é"]}'.encode()),
        (
            {"parsed_body": {"t": True, "n": None, "f": 1.5, "e": 1e-07, "2": "yes"}},
            b'{"2":"yes","e":1e-7,"f":1.5,"n":null,"t":true}',
        ),
        ({"body": {"base64_string": base64.b64encode(b"\xff").decode()}}, b"\xff"),
        ({"body": {"type": "text", "content": "typed"}}, b"typed"),
        ({"body": {"type": "empty", "content": None}}, b""),
        ({"body": {"type": "json", "content": {"a": 1}}}, b'{"a":1}'),
        ({"body": {"string": "plain"}, "headers": {"content-encoding": ["gzip"]}}, b"plain"),
        ({"body": {"string": "plain"}, "headers": {"content-encoding": ["br"]}}, b"plain"),
        ({"body": {"string": ""}, "headers": {"content-encoding": ["gzip"]}}, b""),
        ({"body": {"string": gzip.compress(b"packed")}, "headers": {"Content-Encoding": "gzip"}}, b"packed"),
        (
            {"body": {"string": "sized"}, "headers": {"content-length": ["99"], "X-Count": [3, 1.5, True, None]}},
            b"sized",
        ),
        ({"body": {"string": "sized"}, "headers": {"x": [b"\xe9"]}}, b"sized"),
        ({"body": {"string": "none"}, "headers": None}, b"none"),
    ],
)
def test_the_variants_in_circulation_are_understood(response: dict[str, object], body: bytes) -> None:
    one = only(read(document(**response)))
    assert one.body == body
    assert sum(size for _, size in one.chunks) == len(body)


def test_an_answer_in_a_coding_that_cannot_be_undone_is_not_taken_over() -> None:
    content = read(document(body={"string": b"\xff\x00"}, headers={"content-encoding": ["br"]}))
    assert not only(content).playable
    assert content.notes == ("Interaction 1 has no answer: its content coding cannot be undone. It is never served.",)


def test_a_request_in_a_coding_that_cannot_be_undone_is_left_out() -> None:
    coded = yaml.safe_load(SAMPLE)
    coded["interactions"][1]["request"] |= {"body": b"\xff\x00", "headers": {"content-encoding": ["br"]}}
    content = read(yaml.safe_dump(coded))
    assert [one.index for one in content.interactions] == [1]
    assert content.notes[-1] == "Interaction 2 is left out: the content coding of its request cannot be undone."


@pytest.mark.parametrize(
    "content",
    [
        document(headers={"a": ["Key-0123456789\r\nc: d"]}),
        document(status={"code": "Key-0123456789"}),
        document().replace("method: GET", "method: 'Key-0123456789 x'"),
        "version: Key-0123456789\ninteractions: []",
        "a: Key-0123456789\n  b: [",
        document().replace("https://x/", "https://Key-0123456789@[x/"),
        document().replace("https://x/", "https://Key-0123456789@exa\u2100mple/"),
    ],
)
def test_a_refusal_names_the_place_and_prints_nothing_of_it(content: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(content)
    assert "Key-0123456789" not in str(caught.value)


def test_compressed_event_streams_come_back_in_frames() -> None:
    headers = {"content-type": ["text/event-stream"], "content-encoding": ["gzip"]}
    one = only(read(document(body={"string": gzip.compress(b"data: 1\n\ndata: 2\n\n")}, headers=headers)))
    assert one.frames == (9, 9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("just text", "no VCR.py cassette: a mapping with a list `interactions`"),
        ("version: 2\ninteractions: []", "`version` is 1"),
        ("version: 1", "a list `interactions`"),
        ("interactions: [1]", "Interaction 1 cannot be taken over: `request` is no mapping"),
        ("interactions: [{request: {}}]", "`response` is no mapping"),
        ("interactions: [{request: {}, response: {}}]", "`method` is no text"),
        (document(status="200 OK", code=200), "`status` is no final status"),
        (document(status={"code": "200"}), "`status` is no final status"),
        (document(status_code=100), "`status` is no final status"),
        (document(body={"type": "text"}), "a body of the kind dict is not known"),
        (document(body=[1]), "a body of the kind list is not known"),
        (document(body={"base64_string": "a"}), "`base64_string` is no base64"),
        (document(headers=[1]), "`headers` is no mapping"),
        (document(headers={"a": [{}]}), "neither text nor number"),
        (document(headers={"a b": ["c"]}), "header field 1 holds what may not stand in one"),
        (document(headers={"a": ["b\r\nc: d"]}), "header field 1 holds what may not stand in one"),
        (document().replace("https://x/", "https://[x/"), "Interaction 1 cannot be taken over: its URL"),
        (document().replace("https://x/v1", "v1"), "Interaction 1 cannot be taken over: its URL"),
        (document().replace("method: GET", "method: 'GET /'"), "The method is no token"),
        (document(body={"string": "data: x"}, headers={"content-type": "text/event-stream", "content-encoding": "x"})
            .replace("data: x", "data: " + "x" * (17 << 20)), "Interaction 1 cannot be taken over: A block"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_the_reason(content: str, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read(content)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("duration", "chunks", "known"),
    [
        (12.6, ((13, 1),), True),
        (1, ((1, 1),), True),
        (0, ((0, 1),), False),
        ("1", ((0, 1),), False),
        (1e300, ((0, 1),), False),
    ],
)
def test_the_times_that_forks_keep_are_taken(duration: object, chunks: object, known: bool) -> None:
    timed = yaml.safe_load(document(body={"string": "x"}, duration_ms=duration))
    timed["interactions"][0]["recorded_at"] = "2026-01-31T00:12:21Z"
    content = read(yaml.safe_dump(timed))
    assert (only(content).chunks, only(content).times_known) == (chunks, known)
    assert content.header.recorded == "2026-01-31T00:12:21Z"


def test_the_json_serializer_writes_the_same_tree() -> None:
    of_json = json.dumps(yaml.safe_load(document(body={"string": "text"}))).encode()
    assert read_any(of_json, "", None).kind == "vcr"
    assert only(read_any(of_json).tape).body == b"text"


def test_half_a_surrogate_pair_is_no_character() -> None:
    broken = {"version": 1, "interactions": [{"request": {}, "response": {}}]}
    broken["interactions"] = [
        {"request": {"method": "GET", "uri": "https://x/"}, "response": {"status": {"code": 200}, "body": "\ud800"}}
    ]
    with pytest.raises(ImportRefused, match="half a surrogate pair"):
        vcr.exchanges(broken)


def test_a_value_that_json_cannot_hold_is_refused() -> None:
    response = {"status": {"code": 200}, "parsed_body": {"a": object()}}
    with pytest.raises(ImportRefused, match="no JSON value"):
        vcr.exchanges({"interactions": [{"request": {"method": "GET", "uri": "https://x/"}, "response": response}]})
