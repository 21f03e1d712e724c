import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.key import Key, key, meaning
from wiretape.exchange import Headers

FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)


def made(target: str = "/v1/x", body: bytes = b"", headers: Headers = (), method: str = "POST") -> Key:
    return key(method, target, headers, body)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_layout_and_order_of_keys_do_not_count(value: object) -> None:
    compact, other = (
        json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        json.dumps(value, indent=3, sort_keys=True),
    )
    assert made(body=compact.encode()) == made(body=other.encode())


@given(values, values)
def test_other_values_are_other_keys(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (made(body=json.dumps(one).encode()) == made(body=json.dumps(other).encode())) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made(body=b'{"a":1}'), made(body=b'{"a":1.0}')),
        (made(body=b'{"a":0.5}'), made(body=b'{"a":5e-1}')),
        (made("/v1/x?a=1&b=2&a=3"), made("/v1/x?a=3&a=1&b=2")),
        (made("/v1/x?a=%41"), made("/v1/x?a=A")),
        (made(body=b"a=1&b=%20", headers=FORM), made(body=b"b=+&a=1", headers=FORM)),
        (made("/?key={{secret:key#1}}"), made("/?key={{secret:key#7}}")),
        (made(body=b'{"a":"{{secret:key#1}}"}'), made(body=b'{"a":"{{secret:key#2}}"}')),
        (made(headers=((b"X-A", b"1"),)), made(headers=((b"User-Agent", b"2"),))),
        (made(body=b"--ab\r\nx\r\n--ab--", headers=((b"Content-Type", b"multipart/form-data; boundary=ab"),)),
         made(body=b"--Cd9\r\nx\r\n--Cd9--", headers=((b"content-type", b'multipart/form-data; boundary="Cd9"'),))),
    ],
)  # fmt: skip
def test_what_means_the_same_has_one_key(one: Key, other: Key) -> None:
    assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made(), made(method="GET")),
        (made("/v1/x"), made("/v1/x/")),
        (made("/v1/x?a=1"), made("/v1/x?a=1&a=1")),
        (made("/v1/x?a="), made("/v1/x")),
        (made(body=b'{"a":1}'), made(body=b'{"a":"1"}')),
        (made(body=b'{"a":1}'), made(body=b'{"a":true}')),
        (made(body=b"[1,2]"), made(body=b"[2,1]")),
        (made(body=b"a=1", headers=FORM), made(body=b"a=1")),
        (made(body=b"\xff"), made(body=b"\xfe")),
        (made(body=b"9007199254740993"), made(body=b"9007199254740992")),
        (made(body=b"null"), made()),
        (made(body=b'{"a":"{{secret:key#1}}"}'), made(body=b'{"a":"{{secret:org#1}}"}')),
    ],
)
def test_what_means_something_else_has_another_key(one: Key, other: Key) -> None:
    assert one != other


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b'"\\ud800"', b"[" * 900 + b"]" * 900, b"1e999"]
)
def test_a_body_that_is_no_comparable_json_is_compared_by_its_bytes(body: bytes) -> None:
    assert meaning((), body).kind in {"bytes", "json"}
    assert made(body=body) == made(body=body)
    assert made(body=body) != made(body=body + b" x")


def test_multipart_without_a_boundary_is_compared_as_it_is() -> None:
    headers = ((b"Content-Type", b"multipart/form-data"),)
    assert meaning(headers, b"x").kind == "multipart"
