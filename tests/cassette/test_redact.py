import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import KEY, STREAM, journal, request, sealed, taken, tape
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Headers, How

FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
BEARER: Headers = ((b"Authorization", b"Bearer " + KEY),)
ODD = 'pass/wörd+"1234567'


def redactor(headers: Headers = (), target: bytes = b"/") -> Redactor:
    return Redactor(Secrets(), target, headers)


def test_credentials_are_replaced_whole_and_keep_their_order() -> None:
    headers = ((b"X-A", b"1"), *BEARER, (b"api-key", KEY), (b"OpenAI-Organization", b"acme"), (b"Cookie", b""))
    assert redactor(headers).headers(headers) == (
        (b"X-A", b"1"),
        (b"Authorization", b"{{secret:bearer#1}}"),
        (b"api-key", b"{{secret:bearer#1}}"),
        (b"OpenAI-Organization", b"{{secret:org#1}}"),
        (b"Cookie", b""),
    )


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        (b"/v1/x?key=abc&limit=2", b"/v1/x?key={{secret:key#1}}&limit=2"),
        (b"/v1/x?limit=2&api%2Dkey=abc&sig=d%3D", b"/v1/x?limit=2&api%2Dkey={{secret:key#1}}&sig={{secret:sig#1}}"),
        (b"/v1/x?token=&after=y", b"/v1/x?token=&after=y"),
        (b"/v1/x", b"/v1/x"),
        (b"/v1/x?", b"/v1/x?"),
        (b"/v1/" + KEY, b"/v1/{{secret:key#1}}"),
    ],
)
def test_secret_parameters_leave_the_query(target: bytes, stored: bytes) -> None:
    assert redactor(target=target).target(target) == stored


def test_forms_are_redacted_as_queries_are() -> None:
    body = b"grant=x&client_secret=hunter22&a=hunter22"
    assert redactor().body(body, FORM) == b"grant=x&client_secret={{secret:key#1}}&a={{secret:key#1}}"
    assert redactor().body(body, ()) == body


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b'{"api_key":"abc"}', b'{"api_key":"{{secret:key#1}}"}'),
        (b'{"Authorization" : "a\\"b","x":"y"}', b'{"Authorization" : "{{secret:key#1}}","x":"y"}'),
        (
            b'{"args":"{\\"password\\": \\"abc\\", \\"x\\":1}"}',
            b'{"args":"{\\"password\\": \\"{{secret:key#1}}\\", \\"x\\":1}"}',
        ),
        (b'{"password":""}', b'{"password":""}'),
        (b'{"prompt_tokens":12,"token":"Hello"}', b'{"prompt_tokens":12,"token":"Hello"}'),
        (b'{"access_token":"{{secret:key#9}}"}', b'{"access_token":"{{secret:key#9}}"}'),
    ],
)
def test_json_fields_of_telling_names_are_redacted(body: bytes, stored: bytes) -> None:
    assert redactor().text(body) == stored


def test_short_values_are_not_looked_for_elsewhere() -> None:
    assert redactor(((b"api-key", b"test"),)).text(b"this is a test") == b"this is a test"


def test_an_organisations_slug_is_not_looked_for_elsewhere() -> None:
    assert redactor(((b"OpenAI-Organization", b"traceloop"),)).text(b"traceloop") == b"traceloop"


def test_a_longer_secret_that_holds_a_shorter_one_goes_whole() -> None:
    headers = ((b"api-key", b"abcdefgh"), (b"x-api-key", b"abcdefgh-ijklmnop"))
    assert redactor(headers).text(b"abcdefgh-ijklmnop abcdefgh") == b"{{secret:key#2}} {{secret:key#1}}"


def test_a_secret_that_is_part_of_a_placeholder_breaks_none() -> None:
    headers = ((b"api-key", b"secret:key"), (b"x-api-key", b"otherwise"))
    assert redactor(headers).text(b"otherwise secret:key") == b"{{secret:key#2}} {{secret:key#1}}"


def test_a_cookie_that_is_set_is_not_looked_for_in_other_exchanges() -> None:
    shared = Secrets()
    first = Redactor(shared, b"/", ())
    assert first.headers(((b"Set-Cookie", b"s=0123456789; Path=/"),)) == ((b"Set-Cookie", b"{{secret:cookie#1}}"),)
    assert first.text(b"0123456789") == b"{{secret:cookie#2}}"
    assert Redactor(shared, b"/", ()).text(b"0123456789") == b"0123456789"


def test_a_key_of_one_exchange_is_looked_for_in_the_next() -> None:
    shared = Secrets()
    Redactor(shared, b"/", ((b"api-key", b"0123456789"),))
    assert Redactor(shared, b"/", ()).text(b"0123456789") == b"{{secret:key#1}}"


words = st.sampled_from(
    [KEY, b"abcdefgh12", b'"api_key":"', b'"', b"Bearer ", b"{{secret:key#1}}", b"{{", b"}}", b"sig=", b"?", b"&",
    b"key=", b"://a:b@"]
)  # fmt: skip
mixed = st.lists(words | st.binary(max_size=3), max_size=12).map(b"".join)
names = st.sampled_from([b"Authorization", b"api-key", b"Cookie", b"Set-Cookie", b"X-A", b"OpenAI-Project"])


@given(mixed, st.lists(st.tuples(names, mixed), max_size=4).map(tuple), mixed)
def test_redacting_twice_is_redacting_once(target: bytes, headers: Headers, body: bytes) -> None:
    once = redactor(headers, target)
    heads, path, text = once.headers(headers), once.target(target), once.body(body, FORM)
    again = redactor(heads, path)
    assert (again.headers(heads), again.target(path)) == (heads, path)
    assert once.body(text, FORM) == text


@given(mixed)
def test_redacting_a_text_twice_by_look_is_redacting_it_once(text: bytes) -> None:
    once = redactor().text(text)
    assert redactor().text(once) == once


def places(secret: str) -> list[list[bytes]]:
    """Exchanges that carry the secret in every place a client or an upstream can put one."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1].encode()
    encoded = base64.b64encode(b"user:" + raw)
    echo = (
        b'{"error":{"message":"Incorrect key ' + escaped + b'","b64":"' + base64.b64encode(b"x" + raw + b"yz") + b'"}}'
    )
    header = quote(secret, safe="").encode()
    form = b"a=" + header + b"&client_secret=" + header
    frame = b'event: error\ndata: {"message":"' + escaped + b'"}\n\n'
    lines = []
    heads: list[tuple[bytes, bytes]] = [
        (b"Authorization", b"Bearer " + header), (b"Authorization", b"Basic " + encoded), (b"Proxy-Authorization",
        b"Basic " + encoded),
        (b"Cookie", b"a=1; s=" + header), (b"api-key", header), (b"x-api-key", header), (b"x-goog-api-key", header),
        (b"OpenAI-Organization", header), (b"OpenAI-Project", header), (b"X-Auth-Token", header), (b"Connection",
        header),
    ]  # fmt: skip
    every = tuple(heads) + tuple((b"X-Echo", value) for _, value in heads)
    target = f"/v1/{quote(secret, safe='')}/x?key={quote(secret, safe='')}&q={quote(secret)}#"
    asked = request("POST", target, (*every, (b"api-key", raw.replace(b"\n", b"")) if raw.isascii() else (b"X", b"")))
    for body, kind in ((echo, b"application/json"), (form, b"application/x-www-form-urlencoded"), (raw, b"text/plain")):
        sent = request("POST", target, (*asked.headers, (b"Content-Type", kind)))
        lines.append(
            taken(sent, body, 401, ((b"Content-Type", kind), (b"X-Echo", header), (b"Set-Cookie", header)), [body])
        )
    for cut in range(0, len(frame), 7):
        chunks = [frame[:cut], frame[cut:], b": " + raw + b"\n\n", b"data: " + encoded]
        lines.append(taken(asked, echo, 200, STREAM, chunks, How.UPSTREAM_FAILED))
    return lines


@pytest.mark.parametrize("secret", [KEY.decode(), "plainsecret-without-a-look-1", 'odd/"secret"+with=signs', ODD])
def test_a_canary_in_every_place_is_in_no_stored_byte(secret: str) -> None:
    raw = secret.encode()
    forms = {
        raw,
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        base64.b64encode(b"user:" + raw)[8:-4],
    }
    for lines in places(secret):
        stored = journal(lines)
        for text in (stored, sealed(tape(lines))):
            assert not [form for form in forms if form in text]
            assert not [form for form in forms if form in text.replace(b"\\\\", b"\\")]
            assert not [
                form for form in forms if form in json.dumps([json.loads(x) for x in text.splitlines()]).encode()
            ]
