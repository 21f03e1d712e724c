"""Rules of the user: they add to what is always redacted, and hold for recording and matching alike."""

import json

import pytest

from support.tapes import JSON, STREAM, journal, only, request, sealed, taken, tape
from wiretape.cassette.format import Tape
from wiretape.cassette.match import Library, Matching, Miss
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions, RedactRules, problems
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Headers

FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
RULES = RedactOptions(
    headers=("X-Customer",),
    query=("Customer_Id",),
    json=("$.metadata.ssn", "$..email"),
    patterns=(r"K-(\d{6})", r"\bACC[0-9]{4}\b"),
)


def redactor(headers: Headers = (), options: RedactOptions = RULES) -> Redactor:
    return Redactor(Secrets(rules=options), b"/", headers)


def test_a_header_of_a_rule_goes_whole_and_its_value_elsewhere_too() -> None:
    headers = ((b"x-customer", b"acme-corp-0001"), (b"X-Other", b"acme-corp-0001"))
    one = redactor(headers)
    assert one.headers(headers) == (
        (b"x-customer", b"{{secret:header#1}}"),
        (b"X-Other", b"{{secret:header#1}}"),
    )
    assert one.text(b"for acme-corp-0001") == b"for {{secret:header#1}}"


def test_a_parameter_of_a_rule_goes_from_queries_forms_and_parts() -> None:
    assert redactor().target(b"/x?customer%5Fid=7&a=7") == b"/x?customer%5Fid={{secret:query#1}}&a=7"
    assert redactor().body(b"customer_id=7&a=7", FORM) == b"customer_id={{secret:query#1}}&a=7"
    part = b'--B\r\nContent-Disposition: form-data; name="customer_id"\r\n\r\n%s\r\n--B--\r\n'
    kind = ((b"Content-Type", b"multipart/form-data; boundary=B"),)
    assert redactor().body(part % b"7", kind) == part % b"{{secret:query#1}}"


def test_a_value_at_a_json_path_goes_whole_and_nothing_beside_it_changes() -> None:
    body = b'{ "metadata":{"ssn": 123456789, "x":1e5}, "user":{"email":"a\\u0040b"},"email":["a@b", "c"] }'
    assert redactor().body(body, JSON) == (
        b'{ "metadata":{"ssn": "{{secret:json#1}}", "x":1e5}, "user":{"email":"{{secret:json#2}}"},'
        b'"email":"{{secret:json#3}}" }'
    )


def test_events_are_redacted_by_path_and_pattern() -> None:
    frame = b'event: a\ndata: {"email":"a@b","text":"K-123456 and ACC0001, not xACC0001"}\n\n'
    assert redactor().text(frame) == (
        b'event: a\ndata: {"email":"{{secret:json#1}}","text":"K-{{secret:pattern#1}} and {{secret:pattern#2}}, '
        b'not xACC0001"}\n\n'
    )


def test_redacting_twice_is_redacting_once() -> None:
    body = b'{"email":["a"],"metadata":{"ssn":1},"t":"K-123456 ACC0001"}'
    once = redactor().body(body, JSON)
    assert redactor().body(once, JSON) == once
    assert json.loads(once)["email"] == "{{secret:json#1}}"


def test_rules_only_add() -> None:
    headers = ((b"Authorization", b"Bearer abc"),)
    for options in (NO_RULES, RULES, RedactOptions(headers=("authorization",))):
        assert redactor(headers, options).headers(headers)[0][1].startswith(b"{{secret:bearer")
    assert set(RedactOptions.__struct_fields__) == {"headers", "query", "json", "patterns"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"headers": ("x y",)}, "redact.headers: 'x y' can be no name of a header field"),
        ({"query": ("",)}, "redact.query: '' can be no name of a parameter"),
        ({"query": ("a\n",)}, "redact.query: 'a\\n' can be no name of a parameter"),
        ({"json": ("metadata.ssn",)}, "redact.json: 'metadata.ssn' is no JSON path: begin with $"),
        ({"patterns": ("(",)}, "redact.patterns: '(' is no pattern of RE2"),
        ({"patterns": (r"(?<=a)b",)}, "redact.patterns: '(?<=a)b' is no pattern of RE2"),
        ({"patterns": ("a*",)}, "redact.patterns: 'a*' matches the empty text"),
    ],
)
def test_a_rule_that_is_wrong_is_told_in_one_sentence(options: dict[str, tuple[str, ...]], told: str) -> None:
    (problem,) = problems(RedactOptions(**options))
    assert problem.startswith(told)
    with pytest.raises(ValueError, match="redact"):
        RedactRules(RedactOptions(**options))


def test_no_pattern_can_hang() -> None:
    hard = redactor(options=RedactOptions(patterns=(r"(a+)+$", r"(x|xx)*y\d")))
    text = b"a" * 50_000 + b"b" + b"x" * 50_000
    assert hard.text(text) == text


def test_a_pattern_whose_group_took_no_part_finds_nothing() -> None:
    assert redactor(options=RedactOptions(patterns=("b|(a)",))).text(b"b a") == b"b {{secret:pattern#1}}"


ASKED = b'{"email":"%s","text":"K-%s"}'


def recorded(options: RedactOptions) -> Tape:
    secrets = Secrets(rules=options)
    headers = (*JSON, (b"x-customer", b"acme-corp-0001"))
    asked = request("POST", "/v1/threads?customer_id=7", headers)
    return tape(taken(asked, ASKED % (b"a@b", b"123456"), chunks=[b'{"email":"c@d"}'], secrets=secrets))


@pytest.mark.parametrize("options", [RULES, NO_RULES], ids=["with the rules", "before there were rules"])
def test_a_request_is_matched_by_its_redacted_form_also_in_an_older_recording(options: RedactOptions) -> None:
    cursor = Library([recorded(options)], Matching(redact=RULES)).session("x")
    headers = (*JSON, (b"x-customer", b"other"))
    found = cursor.find(request("POST", "/v1/threads?customer_id=8", headers), ASKED % (b"x@y", b"999999"))
    assert not isinstance(found, Miss)


def test_without_the_rules_other_values_are_a_miss() -> None:
    cursor = Library([recorded(NO_RULES)]).session("x")
    asked = request("POST", "/v1/threads?customer_id=8", JSON)
    assert isinstance(cursor.find(asked, ASKED % (b"x@y", b"999999")), Miss)


def test_what_a_rule_names_is_in_no_line_of_a_recording() -> None:
    content = recorded(RULES)
    for text in (sealed(content), journal(taken(request(), headers=STREAM, secrets=Secrets(rules=RULES)))):
        assert not [word for word in (b"a@b", b"c@d", b"123456", b"acme", b"=7") if word in text]
    assert only(content).target == "/v1/threads?customer_id={{secret:query#1}}"
