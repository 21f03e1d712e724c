import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.forms import (
    DEPTH_MAX,
    JSON_BYTES_MAX,
    BodyFields,
    FrameFields,
    body_bytes,
    body_fields,
    frame_bytes,
    frame_fields,
)
from wiretape.cassette.ids import Aliases

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
layouts = st.sampled_from([None, 2]).flatmap(
    lambda indent: st.tuples(values, st.booleans(), st.just(indent), st.sampled_from(["", "\n"])).map(
        lambda of: (json.dumps(of[0], ensure_ascii=of[1], indent=of[2]) + of[3]).encode()
    )
)
ALIASES = Aliases({"thread#1": "thread_abc123"})


def stored_body(body: bytes, aliases: Aliases = ALIASES) -> dict[str, object]:
    return msgspec.json.decode(msgspec.json.encode(body_fields(body, aliases)), type=dict[str, object])


def body_again(body: bytes) -> bytes:
    return body_bytes(msgspec.convert(stored_body(body), BodyFields), ALIASES)


def frame_again(raw: bytes) -> bytes:
    line = msgspec.json.encode(frame_fields(raw, ALIASES))
    return frame_bytes(msgspec.json.decode(line, type=FrameFields), ALIASES)


@given(st.binary() | layouts | st.text().map(str.encode))
def test_a_body_comes_back_to_the_byte(body: bytes) -> None:
    assert body_again(body) == body


@given(st.binary() | layouts.map(lambda data: b"event: x\ndata: " + data + b"\n\n") | st.text().map(str.encode))
def test_a_frame_comes_back_to_the_byte(raw: bytes) -> None:
    assert frame_again(raw) == raw


@pytest.mark.parametrize(
    ("body", "style"),
    [
        (b'{"a":[1,2.5]}', None),
        (b'{"a":[1,2.5]}\n', "compact+newline"),
        (b'{"a": [1, 2.5]}', "python"),
        (b'{"a": "\\u00e9"}', "python"),
        (b'{\n  "a": [\n    1\n  ],\n  "b": {}\n}', "indent2"),
        (b'{\n  "a": [\n    1\n  ],\n  "b": {}\n}\n', "indent2+newline"),
    ],
)
def test_json_is_stored_as_json_with_its_style(body: bytes, style: str | None) -> None:
    fields = stored_body(body)
    assert "json" in fields
    assert fields.get("style") == style
    assert body_again(body) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1e5}', b'{"a":1.10}', b'{"a":-0}', b'{"a":1,"a":2}', b'{"a":"\\u00e9"}', b'{ "a":1}', b'{"a":1}\n\n',
        b'{"a":1E400}', b'{"a":"\\/"}', b"\xef\xbb\xbf{}", b'{"a":NaN}', b"plain", b'{"a":"\\ud800"}',
        b'{"a":"\\u007b{"}',
    ],
)  # fmt: skip
def test_what_would_not_render_the_same_is_text(body: bytes) -> None:
    assert list(stored_body(body)) == ["text"]
    assert body_again(body) == body


@pytest.mark.parametrize("number", [b"1.0", b"123456789012345678901234567890", b"0.1", b"18446744073709551616"])
def test_numbers_that_render_the_same_are_json(number: bytes) -> None:
    assert list(stored_body(b"[" + number + b"]")) == ["json"]
    assert body_again(b"[" + number + b"]") == b"[" + number + b"]"


def test_no_utf_8_is_base64() -> None:
    assert stored_body(b"\xff\x00") == {"b64": "/wA="}


def test_an_empty_body_has_no_field() -> None:
    assert stored_body(b"") == {}
    assert body_again(b"") == b""


def test_a_null_body_is_no_empty_body() -> None:
    assert stored_body(b"null") == {"json": None}
    assert body_again(b"null") == b"null"


def test_ids_stand_by_their_alias_inside_json() -> None:
    assert stored_body(b'{"id":"thread_abc123"}') == {"json": {"id": "{{thread#1}}"}}
    assert body_again(b'{"id":"thread_abc123"}') == b'{"id":"thread_abc123"}'


@pytest.mark.parametrize(("depth", "field"), [(DEPTH_MAX, "json"), (DEPTH_MAX + 1, "text"), (100_000, "text")])
def test_deep_json_is_kept_as_text(depth: int, field: str) -> None:
    body = b"[" * depth + b"]" * depth
    assert list(stored_body(body)) == [field]


def test_many_brackets_side_by_side_or_in_strings_are_not_deep() -> None:
    body = b"[" + b",".join([b"[]"] * 100) + b',"' + b"[" * 100 + b'"]'
    assert list(stored_body(body)) == ["json"]


def test_very_long_json_is_kept_as_text() -> None:
    body = b'"' + b"x" * JSON_BYTES_MAX + b'"'
    assert list(stored_body(body)) == ["text"]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b'event: a\ndata: {"b":1}\n\n', {"e": "a", "d": {"b": 1}}),
        (b'data: {"b":1}\n\n', {"d": {"b": 1}}),
        (b"event: done\ndata: [DONE]\n\n", {"e": "done", "d": "[DONE]"}),
        (b"event: \ndata: \n\n", {"e": "", "d": ""}),
        (b'data: "text"\n\n', {"d": '"text"'}),
        (b"data: 1e5\n\n", {"d": "1e5"}),
        (b"data: 7\n\n", {"d": 7}),
        (b": keep-alive\n\n", {"raw": ": keep-alive\n\n"}),
        (b"data: a\ndata: b\n\n", {"raw": "data: a\ndata: b\n\n"}),
        (b"event: a\r\ndata: b\r\n\r\n", {"raw": "event: a\r\ndata: b\r\n\r\n"}),
        (b"data: \xff\n\n", {"b64": "ZGF0YTog/woK"}),
        (b"data: {{x\n\n", {"d": "{{{{x"}),
        (b"data: thread_abc123\n\n", {"d": "{{thread#1}}"}),
    ],
)
def test_a_frame_takes_its_plainest_proven_form(raw: bytes, fields: dict[str, object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(frame_fields(raw, ALIASES))) == fields
    assert frame_again(raw) == raw


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (BodyFields(file="x.blobs/00"), "64 hex digits were expected"),
        (BodyFields(json=1, style="tabs"), "style 'tabs' is not known"),
        (BodyFields(b64="!"), "base64"),
    ],
)
def test_a_body_that_cannot_be_rendered_is_refused(fields: BodyFields, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        body_bytes(fields, ALIASES)


def test_an_event_without_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="needs `d`, `raw` or `b64`"):
        frame_bytes(FrameFields(), ALIASES)
