import base64
from typing import Any

import pytest
import yaml

from support.tapes import only
from wiretape.cassette.convert.documents import load_yaml
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Interaction
from wiretape.errors import ImportRefused

SAMPLE = """---
http_interactions:
- request:
    method: post
    uri: https://api.example.com/v1/threads?a=1
    body:
      encoding: UTF-8
      string: '{"metadata":{"a":"b"}}'
    headers:
      Content-Type:
      - application/json
      Accept-Encoding: gzip
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - application/json
      Transfer-Encoding:
      - chunked
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        eyJpZCI6InRocmVhZF9hYmMxMjMiLCJzYXlzIjoi4oCcIn0=
  recorded_at: Thu, 09 Nov 2023 12:41:47 GMT
- request:
    method: get
    uri: https://api.example.com/v1/threads/thread_abc123
    body: {encoding: US-ASCII, string: ''}
    headers: {}
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {encoding: UTF-8, string: later}
  recorded_at: Thu, 09 Nov 2023 12:41:49 GMT
recorded_with: VCR 6.2.0
"""


def answer(body: object, **more: object) -> Interaction:
    response = {"status": {"code": 200}, "headers": {}, "body": body} | more
    request = {"method": "get", "uri": "https://x/"}
    return only(read(yaml.safe_dump({"http_interactions": [{"request": request, "response": response}]}).encode()).tape)


def test_a_cassette_of_ruby_vcr_becomes_a_tape() -> None:
    imported = read(SAMPLE.encode())
    created, later = imported.tape.interactions
    assert imported.kind == "ruby-vcr"
    assert (created.method, created.target, created.request_body) == (
        "POST", "/v1/threads?a=1", b'{"metadata":{"a":"b"}}'
    )  # fmt: skip
    assert created.body == '{"id":"thread_abc123","says":"“"}'.encode()
    assert created.headers == ((b"Content-Type", b"application/json"),)
    assert (imported.tape.header.recorded, later.t0_ms - created.t0_ms) == ("2023-11-09T12:41:47Z", 2000)
    assert not created.times_known


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, b""),
        ("bare", b"bare"),
        ({"encoding": "UTF-8", "string": "é"}, "é".encode()),
        ({"encoding": "ISO-8859-1", "string": "é"}, b"\xe9"),
        ({"encoding": "ASCII-8BIT", "string": "é"}, "é".encode()),
        ({"encoding": "", "file": False, "string": "of R"}, b"of R"),
        ({"encoding": None, "string": None}, b""),
        ({"encoding": "ASCII-8BIT", "base64_string": base64.encodebytes(b"\xff" * 80).decode()}, b"\xff" * 80),
        ({"encoding": "ASCII-8BIT", "encoded_string": "other"}, b"other"),
    ],
)
def test_bodies_in_their_encodings(body: object, expected: bytes) -> None:
    assert answer(body).body == expected


def test_rs_vcr_names_the_status_otherwise() -> None:
    assert answer("x", status={"status_code": 201, "category": "Success"}).status == 201


@pytest.mark.parametrize("moment", [None, 12, "long ago", "2023-11-09T12:41:47Z"])
def test_a_moment_that_is_none_is_left_away(moment: object) -> None:
    document: Any = load_yaml(SAMPLE)
    for one in document["http_interactions"]:
        one["recorded_at"] = moment
    found = read(yaml.safe_dump(document).encode()).tape.header.recorded
    assert found == ("2023-11-09T12:41:47Z" if str(moment).endswith("Z") else "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"encoding": "KOI8-Q", "string": "x"}, "a body's `encoding` is not known"),
        ({"encoding": "ISO-8859-1", "string": "“"}, "a body cannot be spelled in its `encoding`"),
        ({"base64_string": "a"}, "`base64_string` is no base64"),
        ({"base64_string": "é"}, "`base64_string` is no base64"),
        ([], "a body of the kind list is not known"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(body: object, reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        answer(body)
    assert reason in str(caught.value)
