import pytest

from support.tapes import JSON, MS, request, taken
from wiretape.cassette.edits import Found
from wiretape.cassette.inside import begun, in_fields, in_urls, tells
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets

OPAQUE = b"OpaqueValue0123456"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b'{"openai_api_key" : "abc"}', [b"abc"]),
        (b'{"authorization":["Bearer a", "b" ,"c"],"x":"d"}', [b"Bearer a", b"b", b"c"]),
        (b'{"password":"a","x":"b"}', [b"a"]),
        (b'{"password":["a"],"x":"b"}', [b"a"]),
        (b'{"password":""}', []),
        (b'{"password":null,"secret":{"x":"y"},"x":"password"}', []),
        (b'{"pwd":"a\\"b\\\\"}', [b'a"b']),
        (b'{"pwd":"a\\u002fb\\/c"}', [b"a/b/c"]),
        (b'{"pwd":"abc', [b"abc"]),
        (b'data: {"pwd":"abc\n\nmore"', [b"abc"]),
        (b'{"a":"{\\"pwd\\": \\"a\\\\\\"b\\\\\\\\\\", \\"x\\":\\"y\\"}"}', [b'a"b']),
        (b'{"a":"{\\\\\\"pwd\\\\\\":\\\\\\"ab\\\\\\"}"}', [b"ab"]),
        (b'{"pwd\\\\":"x"}', []),
        (b'{"token":"Hello","prompt_tokens":"12345678901","token_count":"Opaque-12345"}', []),
        (b'{"token":"' + OPAQUE + b'"}', [OPAQUE]),
        (b'{"signature":"' + OPAQUE + b'","key":"' + OPAQUE + b'","code":"' + OPAQUE + b'"}', []),
        (b'{"password":"' + b"x" * 100_000 + b'"}', [b"x" * 100_000]),
    ],
)  # fmt: skip
def test_fields_of_telling_names_are_found(text: bytes, values: list[bytes]) -> None:
    assert [found.value.rstrip(b"\\") for found in in_fields(text)] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"https://x/?a=1&token=" + OPAQUE + b"#x", [OPAQUE]),
        (b"https://x/#access_token=" + OPAQUE, [OPAQUE]),
        (b"https://x/?a=1\\u0026sig=" + OPAQUE + b'"', [OPAQUE]),
        (b"https://x/?a=1&amp;code=" + OPAQUE, [OPAQUE]),
        (b"u=https%3A%2F%2Fx%3Fkey%3D" + OPAQUE + b"%26b", [OPAQUE + b"&b"]),
        (b"https://s3/x?X-Amz-Signature=" + OPAQUE + b"&X-Amz-Credential=q", [OPAQUE]),
        (b"https://x/?key=YOUR_API_KEY&page_token=" + OPAQUE, []),
        (b"https://x/?token={{secret:key#1}}", []),
        (b"https://x/?token", []),
    ],
)
def test_parameters_of_telling_names_are_found(text: bytes, values: list[bytes]) -> None:
    assert [found.value for found in in_urls(text)] == values


@pytest.mark.parametrize(
    "name",
    [
        *("apiKey", "ACCESS_TOKEN", "client_secret", "x-password", "userPwd", "passwd", "passphrase", "Authorization"),
        *("authorisation", "authentication", "id_jwt", "bearer", "x_auth", "Cookie", "credential", "aws_Credentials"),
        *("sessionid", "subscription-key"),
    ],
)
@pytest.mark.parametrize(
    "layout",
    ['{"x":1,"%s":"%s"}', '{"%s" :\n "%s"}', r'{"x":"\n","%s":"%s"}', r'"{\"%s\":\"%s\"}"'],
)
def test_every_kind_of_name_is_found_with_escapes_in_the_text_and_without(name: str, layout: str) -> None:
    text = (layout % (name, OPAQUE.decode())).encode()
    assert [found.value for found in in_fields(text)] == [OPAQUE]
    assert tells(text)


def test_a_find_tells_its_place() -> None:
    assert list(in_fields(b'{"jwt":"Opaque-1"}')) == [Found(8, 16, "token", b"Opaque-1")]


MIB = 1 << 20
HOSTILE = {
    "backslashes": b'{"key":"' + b"\\" * MIB + b'"}',
    "backslashes in a password": b'{"password":"' + b"\\" * MIB + b'"}',
    "quotes": b'"' * MIB,
    "escaped quotes": b'{"password":"' + b'\\"' * (MIB // 2),
    "nested": b'["' * 65 + b'\\"' * (MIB // 2),
    "parts of JWTs": b'"' + b"-eyJ" * (MIB // 4) + b'"',
    "almost JWTs": b'"' + b"eyJaaaaaaaa." * (MIB // 12) + b'"',
    "passwords": b"[" + b'{"password":"secret-00000001"},' * (MIB // 30) + b"]",
    "many passwords": b"[" + b",".join(b'{"password":"secret-%08d"}' % n for n in range(MIB // 30)) + b"]",
    "names": b'"' + b"key" * (MIB // 3),
    "fields": b'"password":' * (MIB // 11),
    "lists": b'"password":[' + b'"Opaque-123",' * (MIB // 13),
    "percents": b"%" * MIB + b"%25" * (MIB // 3),
    "escapes": b"\\u002f" * (MIB // 6),
    "parameters": b"?key=" * (MIB // 5),
    "assignments": b"?" * MIB + b"=",
    "authorities": b"://a:b" * (MIB // 6),
    "bearers": b"Bearer " * (MIB // 7),
    "private keys": b"-----BEGIN PRIVATE KEY-----" * (MIB // 27),
    "placeholders": b"{{secret:" * (MIB // 9),
    "the key again and again": b"my-opaque-key-1%20" * (MIB // 18),
    "data lines": b"\ndata:" * (MIB // 6),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_mebibyte_of_anything_is_redacted_at_once(text: bytes) -> None:
    """At the speed of a quadratic search each of these would take minutes: the test would not end."""
    asked = request("POST", headers=(*JSON, (b"api-key", b"my-opaque-key-1")))
    redactor = Redactor(Secrets(), b"/", asked.headers)
    assert len(redactor.body(text, JSON)) > 0
    assert taken(request("POST", at_ms=asked.at_ns // MS), b"", 200, JSON, [text])


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("plain", ""), ('a "', '"'), ('a "pass', '"pass'), ('{"password"', '"password"'),
        ('{"password": ', '"password": '),
        ('{"password": "ab', '"password": "ab'), ('{"password": "ab", ', ""),
        ('{"password": 1', ""), ('{"city": "ab', '"ab'), ('{"city": "a b', ""), ('{"pwd": "ab"', '"ab"'),
        ('{\\"password\\": \\', '"password\\": \\'), ('{"pwd\\\\": "x, y', ""), ("h/?", "?"), ("h/?api_k", "?api_k"),
        ("h/?api_key=", "?api_key="), ("h/?api_key=ab", "ab"), ("h/?api_key=ab ", ""), ("h/?a=ab", ""),
        ("h/?a=b&api_key=ab&c=d", ""),
    ],
)  # fmt: skip
def test_where_a_named_value_may_have_begun(text: str, rest: str) -> None:
    assert text[begun(text.encode()) :] == rest
