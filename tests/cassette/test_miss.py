import json
import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, KEY, request, taken, tape
from wiretape.cassette.format import Tape
from wiretape.cassette.match import Library, Matching, Miss
from wiretape.cassette.nearest import Difference, differences
from wiretape.cassette.rules import Rules
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


def pasted(found: Miss, content: Tape) -> Library:
    """The library as it would be with the rule in the configuration."""
    assert found.rule is not None
    return Library([content], Matching(rules=msgspec.convert(tomllib.loads(found.rule)["match"], Rules)))


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n--b--\r\n'
PARTS: Headers = ((b"Content-Type", b"multipart/form-data; boundary=b"),)
FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
UUIDS = b"0b7c2a52-5be4-4bb0-9a3e-6f7e9a1c2d3e", b"7f3a9b2c-5be4-4bb0-9a3e-6f7e9a1c2d3e"


@pytest.mark.parametrize(
    ("headers", "recorded", "asked", "target", "rule"),
    [
        (JSON, b'{"model":"a","n":1}', b'{"model":"b","n":1}', "/x", 'ignore = ["$.model"]'),
        (JSON, b'{"a":[1,2]}', b'{"a":[1]}', "/x", 'ignore = ["$.a[1]"]'),
        (JSON, b'{"a":{"b c":1}}', b'{"a":{}}', "/x", """ignore = ["$.a[\\"b c\\"]"]"""),
        (JSON, b'{"a\\"b":1,"c":2}', b'{"a\\"b":2,"c":2}', "/x", 'normalise = { "$.*" = "number" }'),
        (JSON, b'{"id":"%b"}' % UUIDS[0], b'{"id":"%b"}' % UUIDS[1], "/x", 'normalise = { "$.id" = "uuid" }'),
        (JSON, b'{"at":"2026-01-01"}', b'{"at":"2026-01-02"}', "/x", 'normalise = { "$.at" = "timestamp" }'),
        (JSON, b'{"n":1,"m":"a"}', b'{"n":2,"m":"b"}', "/x", 'ignore = ["$.m"]\nnormalise = { "$.n" = "number" }'),
        (JSON, b'{"n":true}', b'{"n":1}', "/x", 'ignore = ["$.n"]'),
        (JSON, b"{}", b"", "/x", 'ignore = ["$"]'),
        (JSON, b"{}", b"\xff", "/x", 'ignore = ["$"]'),
        (FORM, b"a=1&b=x", b"a=1&b=y", "/x", 'ignore = ["form:b"]'),
        (PARTS, MULTIPART % (b"n", b"a"), MULTIPART % (b"n", b"b"), "/x", 'ignore = ["part:n"]'),
        (PARTS, b"--b\r\n\r\na\r\n--b--", b"--b\r\n\r\nb\r\n--b--", "/x", 'ignore = ["$"]'),
        (JSON, b"{}", b"{}", "/x?a=1&q=b", 'ignore = ["query:q"]\nnormalise = { "query:a" = "number" }'),
    ],
)  # fmt: skip
def test_pasting_the_rule_makes_the_request_match(
    headers: Headers, recorded: bytes, asked: bytes, target: str, rule: str
) -> None:
    content = tape(taken(request("POST", "/x?a=2&q=c" if "?" in target else target, headers), recorded))
    found = miss(request("POST", target, headers), asked, content)
    assert found.rule == f"[match]\n{rule}"
    assert found.rule in found.message
    again = pasted(found, content).session("x").find(request("POST", target, headers), asked)
    assert not isinstance(again, Miss)


def test_a_rule_names_those_that_hold_already() -> None:
    content = tape(taken(request("POST", "/x", JSON), b'{"a":1,"b":"x"}'))
    library = Library([content], Matching(rules=Rules(ignore=("a",), headers=("OpenAI-Beta",))))
    found = library.session("x").find(request("POST", "/x", JSON), b'{"a":2,"b":"y"}')
    assert isinstance(found, Miss)
    assert found.rule == '[match]\nignore = ["a", "$.b"]\nheaders = ["OpenAI-Beta"]'


def test_no_rule_is_told_where_none_helps() -> None:
    content = tape(taken(request("POST", "/x", ((b"OpenAI-Beta", b"v1"), *JSON)), b"{}"))
    counted = Library([content], Matching(rules=Rules(headers=("OpenAI-Beta",)))).session("x")
    other_header = counted.find(request("POST", "/x", ((b"OpenAI-Beta", b"v2"), *JSON)), b"{}")
    for found in (
        miss(request("POST", "/y"), b"{}", content),
        miss(request("PUT", "/x"), b"{}", content),
        other_header,
    ):
        assert isinstance(found, Miss)
        assert (found.rule, "wiretape.toml" in found.message) == (None, False)
    assert isinstance(other_header, Miss)
    assert other_header.nearest[0].differences == (Difference("header:openai-beta", '"v1"', '"v2"'),)


def test_more_differences_than_are_shown_are_overlooked_as_one() -> None:
    many = [json.dumps({f"k{n}": [mark, n] for n in range(30)}).encode() for mark in "ab"]
    content = tape(taken(request("POST", "/x", JSON), many[0]))
    assert miss(request("POST", "/x", JSON), many[1], content).rule == '[match]\nignore = ["$"]'


def test_ids_that_may_yet_be_bound_are_no_difference() -> None:
    content = tape(taken(request("POST", "/x", JSON), b'{"a":"asst_abc123","b":1}'))
    found = miss(request("POST", "/x", JSON), b'{"a":"asst_mine99","b":2}', content)
    assert [one.where for one in found.nearest[0].differences] == ["$.b"]
    assert not isinstance(
        pasted(found, content).session("x").find(request("POST", "/x", JSON), b'{"a":"asst_mine99","b":2}'), Miss
    )


def test_the_nearest_of_equally_near_ones_is_one_that_was_not_played() -> None:
    content = tape(*(taken(request("POST", "/x", JSON), b'{"n":"%d"}' % n, index=n) for n in (1, 2)))
    cursor = Library([content]).session("x")
    cursor.find(request("POST", "/x", JSON), b'{"n":"1"}')
    found = cursor.find(request("POST", "/x", JSON), b'{"n":"3"}')
    assert isinstance(found, Miss)
    assert [near.index for near in found.nearest] == [2, 1]


def test_a_session_counts_all_misses_and_keeps_the_last() -> None:
    cursor = Library([RECORDED], Matching(misses_max=2)).session("x")
    assert (cursor.misses.text, cursor.misses.count) == ("", 0)
    for place in "abc":
        cursor.find(request("GET", f"/{place}"), b"")
    assert (cursor.misses.count, len(cursor.misses)) == (3, 2)
    assert [one.asked for one in cursor.misses] == ["GET /b", "GET /c"]
    assert cursor.misses.text.startswith(
        "3 requests without a recorded answer, the first 1 not shown:\n\n2. No recorded answer for GET /b."
    )


def test_a_miss_that_was_passed_on_counts_no_more() -> None:
    cursor = Library([RECORDED], Matching(misses_max=1)).session("x")
    first, second = (cursor.find(request("GET", f"/{place}"), b"") for place in "ab")
    for miss_of_auto in (first, second):
        assert isinstance(miss_of_auto, Miss)
        cursor.misses.forgive(miss_of_auto)
    assert (cursor.misses.count, cursor.misses.text) == (0, "")


def test_one_miss_is_told_as_one() -> None:
    cursor = Library([RECORDED]).session("x")
    cursor.find(request("GET", "/a"), b"")
    assert cursor.misses.text.startswith("1 request without a recorded answer:\n\n1. No recorded answer for GET /a.")


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_values_differ_somewhere_exactly_when_they_are_not_equal(one: object, other: object) -> None:
    assert list(differences(one, one)) == []
    assert bool(list(differences(one, other))) is (repr_sorted(one) != repr_sorted(other))


@given(values, values)
def test_pasting_any_rule_makes_the_request_match(one: object, other: object) -> None:
    recorded, asked = (json.dumps({"value": value}).encode() for value in (one, other))
    content = tape(taken(request("POST", "/x", JSON), recorded))
    found = Library([content]).session("x").find(request("POST", "/x", JSON), asked)
    if isinstance(found, Miss):
        assert not isinstance(pasted(found, content).session("x").find(request("POST", "/x", JSON), asked), Miss)


def repr_sorted(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{repr_sorted(value[name])}" for name in sorted(value)) + "}"
    return "[" + ",".join(map(repr_sorted, value)) + "]" if isinstance(value, list) else repr(value)
