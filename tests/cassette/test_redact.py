import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import KEY, STREAM, journal, request, sealed, taken, tape
from wiretape.cassette import spelling
from wiretape.cassette.redact import Redactor, suspects
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


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (b'{"api_key":"abc"}', b'{"api_key":"{{secret:key#1}}"}'),
        (b'{"Authorization" : "a\\"b","x":"y"}', b'{"Authorization" : "{{secret:bearer#1}}","x":"y"}'),
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
    headers = ((b"api-key", b"abcdefg1"), (b"x-api-key", b"abcdefg1-ijklmnop"))
    assert redactor(headers).text(b"abcdefg1-ijklmnop abcdefg1") == b"{{secret:key#2}} {{secret:key#1}}"


def test_a_secret_that_is_part_of_a_placeholder_breaks_none() -> None:
    headers = ((b"api-key", b"secret:key#1"), (b"x-api-key", b"otherwise1"))
    assert redactor(headers).text(b"otherwise1 secret:key#1") == b"{{secret:key#2}} {{secret:key#1}}"


def test_a_cookie_that_is_set_is_not_looked_for_in_other_exchanges() -> None:
    shared = Secrets()
    first = Redactor(shared, b"/", ())
    assert first.headers(((b"Set-Cookie", b"s=o123456789; Path=/"),)) == ((b"Set-Cookie", b"{{secret:cookie#1}}"),)
    assert first.text(b"o123456789") == b"{{secret:cookie#2}}"
    assert Redactor(shared, b"/", ()).text(b"o123456789") == b"o123456789"


def test_a_key_of_one_exchange_is_looked_for_in_the_next() -> None:
    shared = Secrets()
    Redactor(shared, b"/", ((b"api-key", b"o123456789"),))
    assert Redactor(shared, b"/", ()).text(b"o123456789") == b"{{secret:key#1}}"


def test_a_part_of_a_telling_name_leaves_a_multipart_body() -> None:
    headers = ((b"Content-Type", b"multipart/form-data; boundary=B"),)
    part = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    stored = redactor().body(part % (b"api_key", b"abc") + part % (b"x", b"abc") + b"--B--\r\n", headers)
    assert stored == part % (b"api_key", b"{{secret:key#1}}") + part % (b"x", b"abc") + b"--B--\r\n"
    assert redactor().body(b"abc", ((b"Content-Type", b"multipart/form-data"),)) == b"abc"


def test_parameters_leave_the_urls_of_header_fields() -> None:
    headers = ((b"Location", b"/cb?code=abc#access_token=def"), (b"Referer", b"https://h/?a=1"), (b"X-A", b"a?key=b"))
    assert redactor().headers(headers) == (
        (b"Location", b"/cb?code={{secret:key#1}}#access_token={{secret:token#1}}"),
        *headers[1:],
    )


def test_a_field_whose_name_holds_a_key_is_left_out() -> None:
    headers = (*BEARER, (b"X-" + KEY.lower(), b"1"), (b"x-opaque-value-1", b"1"), (b"X-Task-Id", b"1"))
    kept = redactor(((b"api-key", b"Opaque-Value-1"),)).headers(headers)
    assert [name for name, _ in kept] == [b"Authorization", b"X-Task-Id"]


def test_a_credential_that_is_a_placeholder_already_stays() -> None:
    headers = ((b"Authorization", b"Bearer {{secret:bearer#7}}"),)
    assert redactor(headers).headers(headers) == ((b"Authorization", b"{{secret:bearer#7}}"),)


def test_one_field_inside_another_goes_with_it() -> None:
    body = b'{"password":"{\\"password\\":\\"abc\\"}","secret":"x"}'
    assert redactor().text(body) == b'{"password":"{{secret:key#1}}","secret":"{{secret:key#2}}"}'


def test_what_a_response_or_a_cookie_holds_is_known_in_its_exchange_only() -> None:
    shared = Secrets()
    first = Redactor(shared, b"/", ((b"Cookie", b"s=opaque-cookie-1"),))
    assert first.text(b'{"password":"opaque-answer-1"} opaque-answer-1 opaque-cookie-1').count(b"opaque") == 0
    later = b"opaque-answer-1 opaque-cookie-1"
    assert Redactor(shared, b"/", ()).text(later) == later


def test_a_text_is_suspect_for_a_look_or_for_what_is_known() -> None:
    known = spelling.known(b"opaque-1", b"")
    assert [suspects(text, [known]) for text in (b"x", b"a sk-b", b"opaque%2D1")] == [False, True, True]


def test_an_exchange_of_nothing_but_secrets_forgets_none_of_its_head() -> None:
    one = redactor(BEARER)
    one.text(b",".join(b'{"password":"secret-%08d"}' % number for number in range(100)))
    assert KEY not in one.text(b"xx" + KEY)


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
