import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import KEY
from wiretape.cassette.looks import LOOKS, Look, begun, likely
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


FOUND = [
    (KEY, "key"), (b"sk-proj-abc_DEF-0123456789", "key"), (b"sess-0123456789abcdefghij", "key"),
    (b"ek_0123456789abcdef", "key"), (b"AIzaSyA0123456789abcdefghijklmnopqrstuv", "key"), (b"AKIAIOSFODNN7EXAMPLE",
    "key"),
    (b"ghp_" + b"a1" * 18, "token"), (b"xoxb-1234567890-abc", "token"), (JWT, "token"), (b"org-0123456789abcdef",
    "org"),
    (b"proj_0123456789abcdef", "project"),
    (b"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----", "pem"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), FOUND)
def test_values_that_look_like_keys_are_known_by_look(value: bytes, kind: str) -> None:
    text = b'{"text":"use ' + value + b' now"}'
    found = [look.kind for look in LOOKS if look.keyword in text and look.pattern.search(text)]
    assert found == [kind]


@pytest.mark.parametrize(
    "text",
    [b"task-management-and-planning", b"disk-0123456789abcdef", b"sk-short", b"risk-0123456789abcdefgh", b"AKIAxyz"],
)
def test_words_do_not_look_like_keys(text: bytes) -> None:
    assert not any(look.pattern.search(text) for look in LOOKS)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (b"Authorization: Bearer 0123456789abcdef", "bearer", b"0123456789abcdef"),
        (b"Authorization: bearer%200123456789abcdef", "bearer", b"0123456789abcdef"),
        (b"Bearer\\t0123456789abcdef", "bearer", b"0123456789abcdef"),
        (b"postgres://user:hunter2@db/x", "password", b"user:hunter2"),
    ],
)
def test_values_are_known_by_what_stands_before_them(text: bytes, kind: str, value: bytes) -> None:
    found = [(look.kind, match[1]) for look in LOOKS if (match := look.pattern.search(text))]
    assert found == [(kind, value)]


@pytest.mark.parametrize("escape", [b"\\n", b"\\t", b"\\\\r", b"\\u000a", b"\\u003D", b"%20", b"%3D", b"=", b" "])
@pytest.mark.parametrize("value", [KEY, JWT, b"AKIAIOSFODNN7EXAMPLE"])
def test_a_key_after_an_escape_is_seen(escape: bytes, value: bytes) -> None:
    text = b'{"a":"my' + escape + value + b'"}'
    assert value not in Redactor(Secrets(), b"/", ()).text(text)


parts = st.lists(st.sampled_from([look.keyword for look in LOOKS]) | st.binary(max_size=6), max_size=6)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.keyword.decode())
def test_a_keyword_is_found_alone_and_in_the_middle(look: Look) -> None:
    assert look in likely(look.keyword)
    assert look in likely(b"-_/IJK" + look.keyword + b"x")


@given(parts.map(b"".join))
def test_the_looks_of_a_text_are_those_whose_keyword_occurs(text: bytes) -> None:
    assert likely(text) == [look for look in LOOKS if look.keyword in text]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (b"plain text", b""), (b"a s", b"s"), (b"a sk", b"sk"), (b"risk", b""), (b"a sk-abc", b"sk-abc"),
        (b"a sk-abc d", b""), (b"task-abc", b""), (b"\\nsk-abc", b"sk-abc"), (b"http:", b":"), (b"http://user", b"://user"),
        (b"http://user/", b""), (b"Bearer", b"Bearer"), (b"Bearer  ab", b"Bearer  ab"), (b"Bearer ab c", b""),
        (b"--", b"--"), (b"-----BEGIN RSA PRIVATE KEY-----\\nMII E", b"-----BEGIN RSA PRIVATE KEY-----\\nMII E"),
        (b"", b""),
    ],
)  # fmt: skip
def test_where_a_look_may_have_begun(text: bytes, rest: bytes) -> None:
    assert text[begun(text) :] == rest
