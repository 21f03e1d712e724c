import pytest

from wiretape.cassette.places import credentials, field_kind, header_kind, heads, parameter_kind

EVERYWHERE = [
    ("openai_api_key", "key"), ("OPENAI_API_KEY", "key"), ("openaiApiKey", "key"), ("client_secret", "key"),
    ("secret", "key"), ("secret_key", "key"), ("aws_secret_access_key", "key"), ("private_key", "key"),
    ("x-functions-key", "key"), ("passphrase", "key"), ("pwd", "key"), ("passwd", "key"), ("password", "key"),
    ("token", "token"), ("auth_token", "token"), ("id_token", "token"), ("bearer_token", "token"),
    ("session_token", "token"), ("helicone-auth", "token"), ("x-auth", "token"), ("x-jwt", "token"), ("jwt", "token"),
    ("sessionid", "token"), ("authentication", "bearer"), ("authorization", "bearer"),
    ("Ocp-Apim-Subscription-Key", "key"), ("X-Amz-Security-Token", "token"), ("X-Auth-Key", "key"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), EVERYWHERE)
def test_one_table_of_names_holds_for_headers_parameters_and_fields(name: str, kind: str) -> None:
    raw = name.encode()
    assert header_kind(raw, b"x") == parameter_kind(raw) == field_kind(raw) == kind


@pytest.mark.parametrize(
    "name",
    [b"max_tokens", b"prompt_tokens", b"token_count", b"next_page_token", b"x-ratelimit-remaining-tokens", b"monkey",
    b"Idempotency-Key", b"Content-Type", b"WWW-Authenticate", b"limit", b"author", b"keys", b"passwordless", b"---"],
)  # fmt: skip
def test_words_that_are_like_names_of_secrets_are_none(name: bytes) -> None:
    assert header_kind(name, b"x") is parameter_kind(name) is field_kind(name) is None


@pytest.mark.parametrize(
    ("name", "header", "parameter", "field"),
    [
        (b"key", None, "key", None),
        (b"code", None, "key", None),
        (b"X-Amz-Signature", "sig", "sig", None),
        (b"Set-Cookie", "setcookie", "setcookie", "setcookie"),
        (b"OpenAI-Organization", "org", None, None),
        (b"OpenAI-Project", "project", None, None),
        (b"x-key", "key", None, None),
        (b"api%2Dkey", None, "key", None),
    ],
)
def test_some_names_are_secret_in_one_place_only(
    name: bytes, header: str | None, parameter: str | None, field: str | None
) -> None:
    assert (header_kind(name, b"x"), parameter_kind(name), field_kind(name)) == (header, parameter, field)


@pytest.mark.parametrize(
    ("kind", "value", "parts"),
    [
        ("bearer", b"Bearer abc", [b"abc"]),
        ("bearer", b"Bearer\tabc", [b"abc"]),
        ("bearer", b"Odd abc", [b"abc"]),
        ("bearer", b"abc", [b"abc"]),
        ("bearer", b"", [b""]),
        ("key", b"Bearer abc", [b"abc"]),
        ("key", b"my pass phrase", [b"my pass phrase"]),
        ("basic", b"Basic dXNlcjpwYXNz", [b"dXNlcjpwYXNz", b"user:pass", b"user", b"pass"]),
        ("basic", b"Basic a2V5Og==", [b"a2V5Og==", b"key:", b"key"]),
        ("basic", b"Basic ???", [b"???"]),
        ("cookie", b"a=; session=0123456789", [b"a=; session=0123456789", b"0123456789"]),
        ("setcookie", b"s=0123456789; Domain=api.example.com", [b"s=0123456789", b"0123456789"]),
    ],
)
def test_the_credential_comes_first_and_then_what_it_is_made_of(kind: str, value: bytes, parts: list[bytes]) -> None:
    assert credentials(kind, value) == parts


def test_basic_credentials_are_a_kind_of_their_own() -> None:
    assert header_kind(b"authorization", b"basic abc") == header_kind(b"Authorization", b"Basic\tabc") == "basic"


def test_a_head_tells_its_secrets_by_place() -> None:
    headers = ((b"api-key", b"one"), (b"X-A", b"two"), (b"Cookie", b""))
    assert list(heads(b"/x?key=a%2Bb+c&limit=1&sig=", headers)) == [("key", b"one"), ("key", b"a+b c")]
