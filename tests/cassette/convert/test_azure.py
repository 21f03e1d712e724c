import base64
import json

import pytest
from msgspec import Raw

from support.tapes import only
from wiretape.cassette.convert import azure
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Interaction
from wiretape.errors import ImportRefused

TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": 'multipart/form-data; boundary="b"'}


def file(**more: object) -> bytes:
    entry = {
        "RequestUri": "https://api.example.com/v1/files?a=1",
        "RequestMethod": "POST",
        "RequestHeaders": {"Authorization": "Sanitized", "Content-Length": "2"},
        "RequestBody": None,
        "StatusCode": 200,
        "ResponseHeaders": JSON,
        "ResponseBody": {"id": "file-abc123"},
    }
    return json.dumps({"Entries": [entry | more], "Variables": {}}).encode()


def taken(**more: object) -> Interaction:
    return only(read(file(**more)).tape)


def test_a_recording_of_the_test_proxy_becomes_a_tape() -> None:
    imported = read(b"\xef\xbb\xbf" + file())
    one = only(imported.tape)
    assert (imported.kind, one.method, one.target, one.status) == ("azure", "POST", "/v1/files?a=1", 200)
    assert (one.request_body, one.body, one.times_known) == (b"", b'{"id":"file-abc123"}', False)
    assert [name for name, _ in one.request_headers] == [b"Authorization"]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (JSON, None, b""),
        (JSON, [], b""),
        (JSON, '"text"', b'"text"'),
        (JSON, ["[1,\n", "2]"], b"[1,\n2]"),
        (JSON, 12, b"12"),
        (JSON, True, b"true"),
        (TEXT, "one line", b"one line"),
        (TEXT, ["b64:aGk="], b"b64:aGk="),
        ({"Content-Type": "text/event-stream"}, ["data: 1\n", "\n", "data: 2\r\n\r\n"], b"data: 1\n\ndata: 2\r\n\r\n"),
        ({"Content-Type": "application/x; charset=UTF-8"}, "é", "é".encode()),
        ({"Content-Type": "audio/opus"}, base64.b64encode(b"\xff\x00").decode(), b"\xff\x00"),
        ({}, base64.b64encode(b"\xff").decode(), b"\xff"),
        (FORM, ["--b\r\n", "\r\n", "b64:/w==", "\r\n--b--\r\n"], b"--b\r\n\r\n\xff\r\n--b--\r\n"),
    ],
)
def test_bodies_by_their_type(headers: dict[str, str], body: object, expected: bytes) -> None:
    assert taken(ResponseHeaders=headers, ResponseBody=body).body == expected
    assert taken(RequestHeaders=headers, RequestBody=body).request_body == expected


def test_json_keeps_the_spelling_of_its_numbers_and_texts() -> None:
    spelled = file(ResponseBody=None).replace(b'"ResponseBody": null', b'"ResponseBody": {"a" : 1.50,\n"b": "\\u00e9"}')
    assert only(read(spelled).tape).body == b'{"a":1.50,"b":"\\u00e9"}'


def test_headers_may_have_several_values() -> None:
    assert taken(ResponseHeaders={"A": ["1", "2"]}, ResponseBody=None).headers == ((b"A", b"1"), (b"A", b"2"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"StatusCode": "200"},
            "Interaction 1 cannot be taken over: This JSON cannot be read: Expected `int`, got `str`"),
        ({"StatusCode": 100}, "Interaction 1 cannot be taken over: `status` is no final status"),
        ({"ResponseBody": [1]}, "Expected `str`, got `int`"),
        ({"ResponseBody": "!", "ResponseHeaders": {}}, "`Body` is no base64"),
        ({"RequestUri": "http://[x"}, "its URL cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_the_reason(more: dict[str, object], reason: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        taken(**more)
    assert reason in str(caught.value)


def test_a_body_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match="a body is nested too deep"):
        azure._compact(Raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000))
