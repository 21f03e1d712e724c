import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.json_paths import at_paths, parse_path

BODY = (
    b'{"a": {"b":[1,{"email":"x\\u0040y", "z":{"email":[1,2]}}]},"email":12 , "a b":{"c.d":true},'
    b'\n "messages":[{"content":"hi"},{"content":null},{"content":{"e":"\\""}}]}'
)


def found(data: bytes, *paths: str) -> list[bytes]:
    return [data[one.start : one.end] for one in at_paths(data, list(map(parse_path, paths)))]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$..email", [b"x\\u0040y", b"[1,2]", b"12"]),
        ("$.email", [b"12"]),
        ("$.a.b[0]", [b"1"]),
        ("$.a.b[1].z.email[1]", [b"2"]),
        ("$['a b']['c.d']", [b"true"]),
        ('$["a b"].*', [b"true"]),
        ("$.messages[*].content", [b"hi", b'{"e":"\\""}']),
        ("$.messages[2].*.e", [b'\\"']),
        ("$.messages[2].*[*]", [b'\\"']),
        ("$..[1]", [b'{"email":"x\\u0040y", "z":{"email":[1,2]}}', b'{"content":null}']),
        ("$..*", [b'{"b":[1,{"email":"x\\u0040y", "z":{"email":[1,2]}}]}', b"12", b'{"c.d":true}',
                  b'[{"content":"hi"},{"content":null},{"content":{"e":"\\""}}]']),
        ("$.nowhere", []),
    ],
)  # fmt: skip
def test_values_are_found_by_their_path(path: str, values: list[bytes]) -> None:
    assert found(BODY, path) == values


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b'event: x\ndata: {"a":1}\n\n', [b"1"]),
        (b'data:{"a":\ndata: 1}\n\n', [b"1"]),
        (b"data: [DONE]\n\n", []),
        (b'\xef\xbb\xbf{"a":1}', [b"1"]),
        (b'{"\\u0061":1}', [b"1"]),
        (b'{"a":1} {"a":2}', [b"1"]),
        (b'{"a":"x', [b"x"]),
        (b'{"a":[1,{"b":2}', []),
        (b'}{"a":1}', []),
        (b'{"\xff":2,"a":1}', [b"1"]),
        (b'{a:1,"a":1}', [b"1", b"1"]),
        (b"a=1", []),
    ],
)
def test_bodies_and_frames_are_walked_as_far_as_they_are_json(data: bytes, values: list[bytes]) -> None:
    assert found(data, "$.a") == values


@pytest.mark.parametrize("path", ["a", "$", "$.", "$a", "$.a[", "$.a[x]", "$...a", "$. a", "$.a..", "$['a]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"begin with|name what|is no step"):
        parse_path(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.booleans())
def test_every_value_of_a_document_is_found_where_it_stands(value: object, ascii_only: bool) -> None:
    text = json.dumps({"a": value}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for one in at_paths(text, [parse_path("$.a")]):
        raw = text[one.start : one.end] if one.is_bare else b'"' + text[one.start : one.end] + b'"'
        assert json.loads(raw) == value


@given(st.binary(max_size=60))
def test_nothing_that_is_read_breaks_the_walk(data: bytes) -> None:
    for text in (b"{" + data, b'data: {"a":' + data, b'[{"a":[' + data):
        assert all(one.start <= one.end <= len(text) for one in at_paths(text, [parse_path("$..a")]))
