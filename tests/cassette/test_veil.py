import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, KEY, STREAM, only, request, taken, tape
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.veil import Veil
from wiretape.exchange import Headers

PLAIN: Headers = ((b"Content-Type", b"text/plain"),)
WORD = "Sesame"


def veil(key: bytes = b"k") -> Veil:
    return Veil(Redactor(Secrets(), b"/", ()), key)


words = st.text(max_size=6).map(lambda text: WORD + text)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "id", "text"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values, st.booleans(), st.sampled_from([None, 1, 2]))
def test_json_keeps_its_shape_and_size_and_none_of_its_words(
    value: object, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    found = veil().body(text, JSON)
    assert len(found) == len(text)
    assert WORD.encode() not in found
    if isinstance(value, (dict, list)):
        assert shape(json.loads(found)) == shape(value)


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return list(map(shape, value)) if isinstance(value, list) else "" if isinstance(value, str) else value


@given(values, st.integers(0, 60))
def test_a_torn_body_has_no_words_either(value: object, at: int) -> None:
    text = json.dumps({"a": value}).encode()[:at]
    assert WORD.encode() not in veil().body(text, JSON)


@given(st.binary(max_size=40))
def test_whatever_it_is_it_keeps_its_size(data: bytes) -> None:
    one = veil()
    assert len(one.body(data, JSON)) == len(one.body(data, PLAIN)) == len(one.frame(data)) == len(data)


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (b'event: thread.run.created\ndata: {"id":"run_abc123","object":"thread.run","n":1}\n\n', True),
        (b"data: [DONE]\n\n", True),
        (b"id: 7\nretry: 300\r\n\r\n", True),
        (b": Sesame\n\n", False),
        (b"Sesame\n\n", False),
        (b"event: Sesame and more\n\n", False),
        (b"data: Sesame\rdata: 1\n\n", False),
        (b'data: {"type":"Sesame, open","metadata":{"status":"Sesame"}}\n\n', False),
        (b'data: {"a":"\ndata: Sesame"}\n\n', False),
        (b"data: {Sesame}\n\n", False),
    ],
)
def test_a_frame_keeps_what_is_structure(frame: bytes, kept: bool) -> None:
    found = veil().frame(frame)
    assert len(found) == len(frame)
    assert (found == frame) is kept
    assert b"Sesame" not in found


def test_ids_terms_and_placeholders_stay_and_equal_words_stay_equal() -> None:
    body = b'{"thread_id":"thread_abc123","type":"text","a":["Sesame","Sesame"],"b":"Simsim","key":"call_abc123"}'
    found = json.loads(veil().body(body, JSON))
    assert (found["thread_id"], found["type"], found["key"]) == ("thread_abc123", "text", "call_abc123")
    assert found["a"][0] == found["a"][1] != found["b"]
    assert veil(b"other").body(body, JSON) != veil().body(body, JSON)


def test_a_recording_without_words_has_none_anywhere() -> None:
    headers = ((b"X-Question", b"Sesame"), (b"Authorization", b"Bearer " + KEY), *JSON)
    asked = request("POST", "/v1/threads/thread_abc123?q=Sesame&limit=20&order=asc&x", headers)
    lines = taken(asked, b'{"content":"Sesame"}', headers=STREAM, chunks=[b'data: {"v":"Sesame"}\n', b"\n"], veil=b"k")
    one = only(tape(lines))
    assert b"Sesame" not in b"".join(lines)
    assert one.target.startswith("/v1/threads/thread_abc123?q=")
    assert one.target.endswith("&limit=20&order=asc&x")
    assert one.request_headers[1:] == ((b"Authorization", b"{{secret:bearer#1}}"), *JSON)
    assert [size for _, size in one.chunks] == [21, 1]
