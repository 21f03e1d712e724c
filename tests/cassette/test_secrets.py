import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import KEY
from wiretape.cassette.secrets import PATTERNS, Secrets, credentials, header_kind, parameter_kind, unnumbered, variants

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"Authorization", "bearer"), (b"Proxy-Authorization", "bearer"), (b"Cookie", "cookie"), (b"Set-Cookie",
        "setcookie"),
        (b"api-key", "key"), (b"X-API-Key", "key"), (b"x-goog-api-key", "key"), (b"OpenAI-Organization", "org"),
        (b"OpenAI-Project", "project"), (b"Ocp-Apim-Subscription-Key", "key"), (b"X-Auth-Token", "token"),
        (b"x_api_key", "key"), (b"X-Amz-Security-Token", "token"), (b"X-Hub-Signature", "sig"), (b"Content-Type", None),
        (b"Idempotency-Key", None), (b"x-ratelimit-remaining-tokens", None), (b"WWW-Authenticate", None), (b"Key",
        None),
    ],
)  # fmt: skip
def test_headers_that_hold_secrets_are_known_by_name(name: bytes, kind: str | None) -> None:
    assert header_kind(name, b"x") == kind


def test_basic_credentials_are_a_kind_of_their_own() -> None:
    assert header_kind(b"authorization", b"basic abc") == "basic"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"key", "key"), (b"api_key", "key"), (b"api-key", "key"), (b"token", "token"), (b"access_token", "token"),
        (b"sig", "sig"), (b"Signature", "sig"), (b"client%5Fsecret", "key"), (b"auth", "key"), (b"X-Amz-Signature",
        "sig"),
        (b"limit", None), (b"after", None), (b"max_tokens", None), (b"monkey", None),
    ],
)  # fmt: skip
def test_parameters_that_hold_secrets_are_known_by_name(name: bytes, kind: str | None) -> None:
    assert parameter_kind(name) == kind


@pytest.mark.parametrize(
    ("kind", "value", "parts"),
    [
        ("bearer", b"Bearer abc", [b"abc"]),
        ("bearer", b"abc", [b"abc"]),
        ("basic", b"Basic dXNlcjpwYXNz", [b"dXNlcjpwYXNz", b"user:pass", b"pass"]),
        ("basic", b"Basic dXNlcg==", [b"dXNlcg==", b"user"]),
        ("basic", b"Basic ???", [b"???"]),
        ("cookie", b"a=1; session=0123456789", [b"a=1; session=0123456789", b"0123456789"]),
        ("setcookie", b"s=0123456789; Domain=api.example.com", [b"s=0123456789", b"0123456789"]),
    ],
)
def test_the_credential_comes_first_and_then_what_it_is_made_of(kind: str, value: bytes, parts: list[bytes]) -> None:
    assert credentials(kind, value) == parts


LOOKS = [
    (KEY, "key"), (b"sk-proj-abc_DEF-0123456789", "key"), (b"sess-0123456789abcdefghij", "key"),
    (b"ek_0123456789abcdef", "key"), (b"AIzaSyA0123456789abcdefghijklmnopqrstuv", "key"), (b"AKIAIOSFODNN7EXAMPLE",
    "key"),
    (b"ghp_" + b"a1" * 18, "token"), (b"xoxb-1234567890-abc", "token"), (JWT, "token"), (b"org-0123456789abcdef",
    "org"),
    (b"proj_0123456789abcdef", "project"),
    (b"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----", "pem"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), LOOKS)
def test_values_that_look_like_keys_are_known_by_look(value: bytes, kind: str) -> None:
    text = b'{"text":"use ' + value + b' now"}'
    found = [look.kind for look in PATTERNS if look.keyword in text and look.pattern.search(text)]
    assert found == [kind]


@pytest.mark.parametrize(
    "text",
    [b"task-management-and-planning", b"disk-0123456789abcdef", b"sk-short", b"risk-0123456789abcdefgh", b"AKIAxyz"],
)
def test_words_do_not_look_like_keys(text: bytes) -> None:
    assert not any(look.pattern.search(text) for look in PATTERNS)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (b"Authorization: Bearer 0123456789abcdef", "bearer", b"0123456789abcdef"),
        (b"https://x/?sig=0123456789abcdef%3D&a=1", "sig", b"0123456789abcdef%3D"),
        (b"https://x/?a=1\\u0026sig=0123456789abcdef", "sig", b"0123456789abcdef"),
        (b"postgres://user:hunter2@db/x", "password", b"user:hunter2"),
    ],
)
def test_values_are_known_by_what_stands_before_them(text: bytes, kind: str, value: bytes) -> None:
    found = [(look.kind, match[0]) for look in PATTERNS if (match := look.pattern.search(text))]
    assert found == [(kind, value)]


@given(st.binary(min_size=8, max_size=60), st.binary(max_size=5), st.binary(max_size=5))
def test_base64_of_a_secret_is_found_at_any_offset(value: bytes, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + value + after)
        assert len(value) < 10 or any(form in encoded for form in variants(value))


@given(st.text(min_size=8, max_size=40))
def test_a_secret_is_found_in_urls_and_json(text: str) -> None:
    value = text.encode()
    places = [
        quote(text, safe=""),
        quote(text, safe="").lower(),
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
    ]
    for place in places:
        assert any(form in place.encode() for form in variants(value))


def test_equal_secrets_get_equal_placeholders() -> None:
    secrets = Secrets()
    values = (b"one", b"two", b"one", b"three")
    assert [secrets.placeholder("key", value) for value in values] == [
        b"{{secret:key#1}}",
        b"{{secret:key#2}}",
        b"{{secret:key#1}}",
        b"{{secret:key#3}}",
    ]
    assert secrets.placeholder("bearer", b"one") == b"{{secret:key#1}}"


def test_what_is_known_is_bounded_to_the_last_seen() -> None:
    secrets = Secrets(secrets_max=2)
    for value in (b"first-secret", b"second-secret", b"first-secret", b"third-secret"):
        secrets.know(value, b"x")
    known = set(secrets.forms)
    assert {b"first-secret", b"third-secret"} <= known
    assert b"second-secret" not in known


def test_placeholders_are_bounded_too() -> None:
    secrets = Secrets(secrets_max=1)
    names = [secrets.placeholder("key", b"%d" % number) for number in [*range(9), 0]]
    assert names[-1] == b"{{secret:key#10}}"


def test_keys_know_placeholders_by_type_alone() -> None:
    assert unnumbered(b"a {{secret:key#12}} {{secret:org}} {{x#1}}") == b"a {{secret:key}} {{secret:org}} {{x#1}}"
