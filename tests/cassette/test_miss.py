import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, KEY, request, taken, tape
from wiretape.cassette.format import Tape
from wiretape.cassette.match import Library, Miss
from wiretape.cassette.nearest import Difference, differences
from wiretape.exchange import Headers, Request

RUN = "/v1/threads/thread_abc123/runs"
RECORDED = tape(
    taken(request("POST", RUN, JSON), b'{"model":"gpt-4o","tools":[{"type":"a"}]}', index=1),
    taken(request("POST", "/v1/threads", JSON), b"{}", index=2),
    taken(request("GET", RUN + "?limit=2&order=asc"), index=3),
)


def miss(asked: Request, body: bytes = b"", content: Tape = RECORDED) -> Miss:
    found = Library([content]).session("x").find(asked, body)
    assert isinstance(found, Miss)
    return found


@pytest.mark.parametrize(
    ("asked", "body", "index", "difference"),
    [
        (request("POST", RUN), b'{"model":"gpt-4.1","tools":[{"type":"a"}]}', 1,
         Difference("$.model", '"gpt-4o"', '"gpt-4.1"')),
        (request("POST", RUN), b'{"model":"gpt-4o","tools":[{"type":"b"}]}', 1,
         Difference("$.tools[0].type", '"a"', '"b"')),
        (request("POST", RUN), b'{"model":"gpt-4o","tools":[]}', 1, Difference("$.tools[0]", "an object", "nothing")),
        (request("POST", RUN), b'{"model":"gpt-4o","tools":{}}', 1, Difference("$.tools", "an array", "an object")),
        (request("POST", RUN), b"\xff", 1, Difference("$", "json, 41 bytes", "bytes, 1 bytes")),
        (request("GET", RUN + "?limit=3&order=asc"), b"", 3,
         Difference("query:limit", '"2"', '"3"', "number")),
        (request("GET", RUN), b"", 3, Difference("query:limit", '"2"', "nothing")),
        (request("POST", "/v1/threads/other/runs"), b'{"model":"gpt-4o","tools":[{"type":"a"}]}', 1,
         Difference("path", f'"{RUN}"', '"/v1/threads/other/runs"')),
        (request("PUT", "/v1/threads"), b"{}", 2, Difference("method", '"POST"', '"PUT"')),
    ],
)  # fmt: skip
def test_the_nearest_recording_and_what_differs_are_named(
    asked: Request, body: bytes, index: int, difference: Difference
) -> None:
    found = miss(asked, body)
    assert (found.nearest[0].index, found.nearest[0].differences[0]) == (index, difference)
    assert (
        f"it differs at {difference.where}: recorded {difference.recorded}, asked {difference.asked}" in found.message
    )


def test_the_message_is_one_paragraph_and_a_rule() -> None:
    assert miss(request("POST", RUN), b'{"model":"gpt-4.1"}').message == (
        f"No recorded answer for POST {RUN}. "
        f'The nearest recording is #1 POST {RUN}; it differs at $.model: recorded "gpt-4o", asked "gpt-4.1", '
        "and in 1 more place. "
        f"Then come #3 GET {RUN}?limit=2&order=asc, #2 POST /v1/threads. "
        f"Not played yet: #1 POST {RUN}, #2 POST /v1/threads, #3 GET {RUN}?limit=2&order=asc. "
        "To overlook what differs, put this into wiretape.toml:\n\n"
        '[match]\nignore = ["$.model", "$.tools"]\n'
    )


def test_an_empty_library_says_so() -> None:
    found = miss(request(), content=tape())
    assert found.message == "No recorded answer for GET /v1/threads. Everything recorded was played."


def test_an_equal_request_that_was_played_is_told_from_one_that_was_never_recorded() -> None:
    cursor = Library([RECORDED]).session("x")
    asked = request("POST", "/v1/threads")
    cursor.find(asked, b"{}")
    found = cursor.find(asked, b"{}")
    assert isinstance(found, Miss)
    assert (found.times_recorded, found.nearest) == (1, ())
    assert "An equal request was recorded once, and has been played already." in found.message


def test_no_secret_stands_in_a_message() -> None:
    headers: Headers = ((b"Authorization", b"Bearer " + KEY),)
    found = miss(request("POST", f"/v1/threads?key={KEY.decode()}", headers), b'{"k":"' + KEY + b'"}')
    assert KEY.decode() not in str(found)


def test_long_values_and_long_lists_are_cut() -> None:
    many = tape(*(taken(request("POST", "/" + "x" * 200, JSON), b'{"a":%d}' % n, index=n) for n in range(1, 9)))
    found = miss(request("POST", "/" + "x" * 200), b'{"a":"' + b"y" * 500 + b'"}', many)
    assert len(found.message) < 1500
    assert "and 3 more." in found.message
    assert len(found.nearest) == 3


def test_a_recording_with_nothing_different_is_named_all_the_same() -> None:
    cut = tape(taken(request("POST", "/x?a=1", JSON), b"{}"))
    found = miss(request("POST", "/x?a=1", ((b"Content-Type", b"application/problem+json"),)), b'{"a":2,"a":2}', cut)
    assert found.nearest


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_values_differ_somewhere_exactly_when_they_are_not_equal(one: object, other: object) -> None:
    assert list(differences(one, one)) == []
    assert bool(list(differences(one, other))) is (repr_sorted(one) != repr_sorted(other))


def repr_sorted(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{repr_sorted(value[name])}" for name in sorted(value)) + "}"
    return "[" + ",".join(map(repr_sorted, value)) + "]" if isinstance(value, list) else repr(value)
