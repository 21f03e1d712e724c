import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.key import Key, key
from wiretape.cassette.rules import NO_RULES, MatchOptions, Rules, form_of, normalised
from wiretape.exchange import Headers

JSON: Headers = ((b"Content-Type", b"application/json"),)
FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
UUIDS = "0b7c2a52-5be4-4bb0-9a3e-6f7e9a1c2d3e", "7F3A9B2C00000000AAAABBBBCCCCDDDD"
TIMES = (
    "2026-11-23T03:00:00.123Z",
    "2025-01-01",
    "2026-11-23 03:00:00+01:00",
    "1767225600",
    "1767225600.5",
    "1767225600123",
)


def made(body: bytes, rules: Rules, headers: Headers = JSON, target: str = "/x") -> Key:
    return key("POST", target, headers, body, rules)


def part(name: str, content: str, boundary: str = "b", lines: str = "") -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n{lines}\r\n{content}\r\n'.encode()


def parted(*parts: bytes, boundary: str = "b") -> bytes:
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


MULTIPART: Headers = ((b"Content-Type", b"multipart/form-data; boundary=b"),)


@pytest.mark.parametrize(
    ("place", "one", "other"),
    [
        ("a", b'{"a":1,"b":2}', b'{"b":2}'),
        ("$.a", b'{"a":1,"b":2}', b'{"a":{"c":[]},"b":2}'),
        ("a.b", b'{"a":{"b":1}}', b'{"a":{"b":2}}'),
        ("a[0]", b'{"a":[1,2]}', b'{"a":[9,2]}'),
        ("a[1]", b'{"a":[1,2]}', b'{"a":[1]}'),
        ("[0].b", b'[{"b":1}]', b'[{"b":2}]'),
        ("a.b[*].c", b'{"a":{"b":[{"c":1},{"c":2,"d":0}]}}', b'{"a":{"b":[{"c":3},{"c":4,"d":0}]}}'),
        ("a.*.c", b'{"a":{"x":{"c":1},"y":{"c":2}}}', b'{"a":{"x":{"c":3},"y":{}}}'),
        ('a["b.c"]', b'{"a":{"b.c":1}}', b'{"a":{"b.c":2}}'),
        ('["b"].c', b'{"b":{"c":1}}', b'{"b":{"c":2}}'),
        ("$", b'{"a":1}', b"anything"),
        ("$", b'{"a":1}', b""),
    ],
)
def test_a_place_that_is_left_out_does_not_count(place: str, one: bytes, other: bytes) -> None:
    rules = Rules(ignore=(place,))
    assert list(rules.problems()) == []
    assert made(one, rules) == made(other, rules)
    assert made(one, NO_RULES) != made(other, NO_RULES)


@pytest.mark.parametrize(
    ("place", "one", "other"),
    [
        ("a", b'{"a":1,"b":2}', b'{"a":1,"b":3}'),
        ("a.b", b'{"b":1}', b'{"b":2}'),
        ("a[0]", b'{"a":{"0":1}}', b'{"a":{"0":2}}'),
        ("a[*].c", b'{"a":[{"c":1,"d":1}]}', b'{"a":[{"c":1,"d":2}]}'),
        ("query:a", b'{"a":1}', b'{"a":2}'),
    ],
)
def test_what_a_rule_does_not_name_counts(place: str, one: bytes, other: bytes) -> None:
    assert made(one, Rules(ignore=(place,))) != made(other, Rules(ignore=(place,)))


def test_query_keys_form_fields_and_parts_are_left_out_by_name() -> None:
    assert made(b"", Rules(ignore=("query:t",)), target="/x?a=1&t=2") == made(
        b"", Rules(ignore=("query:t",)), target="/x?a=1"
    )
    assert made(b"a=1&t=2", Rules(ignore=("form:t",)), FORM) == made(b"t=3&a=1&t=4", Rules(ignore=("form:t",)), FORM)
    ignoring = Rules(ignore=("part:t",))
    one, other = parted(part("a", "1"), part("t", "2")), parted(part("t", "3"), part("a", "1"))
    assert made(one, ignoring, MULTIPART) == made(other, ignoring, MULTIPART)
    assert made(one, NO_RULES, MULTIPART) != made(other, NO_RULES, MULTIPART)


def test_named_headers_count_and_no_others() -> None:
    rules = Rules(headers=("OpenAI-Beta",))
    v1, v2 = ((b"openai-beta", b"assistants=v1"),), ((b"OpenAI-Beta", b"assistants=v2"),)
    assert made(b"", rules, v1) != made(b"", rules, v2)
    assert made(b"", rules, (*v1, (b"User-Agent", b"x"))) == made(b"", rules, v1)
    assert made(b"", NO_RULES, v1) == made(b"", NO_RULES, v2)


@pytest.mark.parametrize("value", TIMES)
def test_times_of_every_spelling_are_one(value: str) -> None:
    rules = Rules(normalise={"query:at": "timestamp", "$": "timestamp"})
    spoken, other = f"it is {value} now", f"it is {TIMES[0]} now"
    assert normalised(spoken, "timestamp") == normalised(other, "timestamp") == "it is {{timestamp}} now"
    assert made(f'{{"a":["{value}"]}}'.encode(), rules) == made(f'{{"a":["{TIMES[1]}"]}}'.encode(), rules)


def test_uuids_and_numbers_are_one_in_text_and_as_values() -> None:
    rules = Rules(normalise={"a[*].id": "uuid", "n": "number", "at": "timestamp"})
    one = f'{{"a":[{{"id":"see {UUIDS[0]}"}}],"n":{{"x":[1,"2 of 3",true,null]}},"at":1767225600}}'
    other = f'{{"a":[{{"id":"see {UUIDS[1]}"}}],"n":{{"x":[2.5,"7 of 9",true,null]}},"at":1767225601.5}}'
    assert made(one.encode(), rules) == made(other.encode(), rules)
    assert made(one.encode(), rules) != made(other.replace("true", "false").encode(), rules)


def test_a_number_that_is_no_time_counts_as_it_is() -> None:
    rules = Rules(normalise={"at": "timestamp"})
    assert made(b'{"at":1}', rules) != made(b'{"at":2}', rules)


def test_forms_hold_for_queries_and_parts() -> None:
    rules = Rules(normalise={"query:id": "uuid", "part:n": "number"})
    assert made(b"", rules, target=f"/x?id={UUIDS[0]}") == made(b"", rules, target=f"/x?id={UUIDS[1]}")
    assert made(parted(part("n", "1")), rules, MULTIPART) == made(parted(part("n", "22")), rules, MULTIPART)


@pytest.mark.parametrize(
    "place",
    ["", "a..b", "a[", "a[x]", "a[-1]", "a]", 'a["', "a b.[", "$..a", "query:", "part:", ".", "$.", "a**", '""'],
)
def test_what_is_no_place_is_told(place: str) -> None:
    (problem,) = Rules(ignore=(place,)).problems()
    assert repr(place) in problem


def test_a_place_that_is_left_out_and_normalised_is_told() -> None:
    (problem,) = Rules(ignore=("a",), normalise={"a": "uuid"}).problems()
    assert "'a' is in ignore and in normalise" in problem


def test_joined_rules_are_both_and_leaving_out_goes_first() -> None:
    one = Rules(ignore=("a",), normalise={"b": "uuid"}, headers=("X-A",))
    other = Rules(ignore=("b", "a"), normalise={"c": "number"}, headers=("X-B", "X-A"))
    both = Rules(ignore=("a", "b"), normalise={"c": "number"}, headers=("X-A", "X-B"))
    assert one.joined(other) == both
    assert [bool(rules) for rules in (one, both, NO_RULES)] == [True, True, False]


def test_options_are_rules_and_a_bound() -> None:
    options = MatchOptions(ignore=("a",), misses_max=3)
    assert options.rules == Rules(ignore=("a",))


@pytest.mark.parametrize(
    ("one", "other", "form"),
    [(*UUIDS, "uuid"), (*TIMES[:2], "timestamp"), ("1", "2.5", "number"), ("1", "x", None), (UUIDS[0], "1", None)],
)
def test_the_form_that_two_texts_have_is_found(one: str, other: str, form: str | None) -> None:
    assert form_of(one, other) == form


@given(st.text())
def test_any_text_is_a_place_or_told_to_be_none(place: str) -> None:
    told = list(Rules(ignore=(place,)).problems())
    if not told:
        made(b'{"a":[1,{"b":2}]}', Rules(ignore=(place,)))
