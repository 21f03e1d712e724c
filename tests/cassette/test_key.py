import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.key import Key, key, meaning
from wiretape.exchange import Headers

FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)


TEXT: Headers = ((b"Content-Type", b"text/plain"),)


def made(target: str = "/v1/x", body: bytes = b"", headers: Headers = (), method: str = "POST") -> Key:
    return key(method, target, headers, body)


def sent(boundary: str, content: str, parameter: str) -> Key:
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="f"\r\n\r\n{content}\r\n--{boundary}--\r\n'
    headers = ((b"Content-Type", f"multipart/form-data; {parameter}".encode()),)
    return made(body=part.encode(), headers=headers)


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
        (made(body=b'{"a":"{{secret:key#1}}"}'), made(body=b'{"a":"{{secret:bearer#2}}"}')),
        (made(body=b"1e16"), made(body=b"10000000000000000")),
        (made(body=b"0.10"), made(body=b"0.1")),
        (made("/v1/x?a=\u00e9"), made("/v1/x?a=%C3%A9")),
        (sent("A,A1", "x", 'Boundary="A,A1"'), sent("B", "x", "boundary=B")),
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
        (made("/v1/x?a=%FF"), made("/v1/x?a=%FE")),
        (made(body=b"a=%FF", headers=FORM), made(body=b"a=%FE", headers=FORM)),
        (made(body=b'{"a":1,"a":2}'), made(body=b'{"a":2}')),
        (made(body=b"9007199254740993.0"), made(body=b"9007199254740992.0")),
        (made(body=b"0.1"), made(body=b"0.10000000000000000001")),
        (made(body=b"NaN"), made(body=b"null")),
        (made(body=b"1", headers=TEXT), made(body=b"1.0", headers=TEXT)),
        (sent("e", "xe", "boundary=e"), sent("e", "exe", "boundary=e")),
    ],
)
def test_what_means_something_else_has_another_key(one: Key, other: Key) -> None:
    assert one != other


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"1" * 5000,
        b'"\\ud800"',
        b"[" * 900 + b"]" * 900,
        b"1e999",
        b"1e-999",
        b"1e9999999999999999999",
    ],
)
def test_a_body_that_is_no_comparable_json_is_compared_by_its_bytes(body: bytes) -> None:
    assert meaning((), body).kind in {"bytes", "text", "json"}
    assert made(body=body) == made(body=body)
    assert made(body=body) != made(body=body + b" x")


def test_ids_are_looked_for_in_a_text_of_a_megabyte_and_not_in_a_longer_one() -> None:
    for size, kind, ids in ((1 << 20, "text", ("thread_abc123",)), ((1 << 20) + 1, "bytes", ())):
        body = b"thread_abc123".ljust(size)
        assert (meaning(TEXT, body).kind, made(body=body, headers=TEXT).ids) == (kind, ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (made("/threads/thread_abc123"), made("/threads/thread_xyz789")),
        (made("/x?after=msg_abc123&limit=2"), made("/x?limit=2&after=msg_xyz789")),
        (made("/x?id=msg_b222222&id=run_b222222"), made("/x?id=msg_z999999&id=run_a111111")),
        (
            made(body=b'{"a":"asst_abc123","b":["see\\nfile-abc123."]}'),
            made(body=b'{"b":["see\\nfile-xyz789."],"a":"asst_xyz789"}'),
        ),
        (made(body=b"a=vs_abc123", headers=FORM), made(body=b"a=vs_xyz789", headers=FORM)),
        (made(body=b"of thread_abc123", headers=TEXT), made(body=b"of thread_xyz789", headers=TEXT)),
        (sent("b", "resp_abc123", "boundary=b"), sent("c", "resp_xyz789", "boundary=c")),
    ],
)
def test_requests_that_differ_in_ids_alone_have_one_shape(one: Key, other: Key) -> None:
    assert (one.shape, len(one.ids)) == (other.shape, len(other.ids))
    assert one.ids
    assert one.digest != other.digest


@pytest.mark.parametrize("other", [made("/threads/run_abc123"), made("/threads/thread"), made("/thread/thread_abc123")])
def test_another_kind_of_id_is_another_shape(other: Key) -> None:
    assert made("/threads/thread_abc123").shape != other.shape


def test_a_digest_is_the_same_in_every_process() -> None:
    assert (
        made("/v1/threads/thread_abc123/runs?a=1", b'{"b":[1,2.5]}').digest.hex() == "941a0479e57bd69ff480973fc38df3d1"
    )


def test_multipart_without_a_boundary_is_compared_as_it_is() -> None:
    headers = ((b"Content-Type", b"multipart/form-data"),)
    assert meaning(headers, b"x").kind == "multipart"
