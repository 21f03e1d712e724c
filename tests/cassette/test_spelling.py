import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape.cassette.folding import fold
from wiretape.cassette.spelling import Known, begun, holds, is_telling, known, may_hide, replaced

VALUE = b"Opaq/AbCd+EfGh/Ij"


def spelled(text: bytes, value: bytes = VALUE) -> bytes:
    return replaced(text, [known(value, b"<>")])


@pytest.mark.parametrize(
    ("value", "telling"),
    [
        (b"completed", False), (b"required", False), (b"assistant", False), (b"12345678", False),
        (b"abc1", False), (b"dummykey1", True), (b"step=completed; role=assistant", True),
        (b"OpaqueValueNoDigits", True), (b"****************", False), (b"client_left", False), (b"start_ns", False),
    ],
)  # fmt: skip
def test_only_values_unlike_words_are_looked_for(value: bytes, telling: bool) -> None:
    assert is_telling(value) is telling


per_byte = st.sampled_from(["%c", "%%%02x", "%%%02X", "%%25%02X", "\\u%04x", "\\u%04X", "\\\\u%04x"])


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30), st.data())
@example("Opaq/AbCd+EfGh==", None)
@example("0000000\\", None)  # between quotes its end would be another character: an escaped quote
def test_a_known_value_is_found_in_any_per_byte_encoding(value: str, data: st.DataObject | None) -> None:
    forms = ["%c"] * len(value) if data is None else [data.draw(per_byte) for _ in value]
    text = "".join(form % (char if form == "%c" else ord(char)) for form, char in zip(forms, value, strict=True))
    found = spelled(f" {text} ".encode(), value.encode())
    assert found == b" <> " or fold(text.encode()) != fold(value.encode())


@given(st.text(min_size=8, max_size=40))
def test_a_known_value_is_found_in_urls_and_json(text: str) -> None:
    value = text.encode()
    inside = json.dumps(text)[1:-1]
    for place in (quote(text, safe=""), quote(text), quote_plus(text), quote(text, safe="").lower(), inside,
                  json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(inside)[1:-1]):  # fmt: skip
        same = fold(place.encode()) in {fold(value), fold(value.replace(b" ", b"+"))}
        assert not same or len(fold(value)) < 8 or spelled(b" " + place.encode() + b" ", value) == b" <> "


@given(st.binary(min_size=10, max_size=60), st.binary(max_size=5), st.binary(max_size=5))
def test_base64_of_a_secret_is_found_at_any_offset(value: bytes, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert holds(encode(before + value + after), [known(value, b"<>")])


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (b'{"a":"Opaq\\/AbCd\\u002BEfGh/Ij"}', b'{"a":"<>"}'),
        (b"data: Opaq/Ab\ndata: Cd+EfGh/Ij\n\n", b"data: <>\n\n"),
        (b"data: x\ndata: Opaq/AbCd+EfGh/Ij\n\n", b"data: x\ndata: <>\n\n"),
        (b"\\n%20Opaq/AbCd+EfGh/Ij\\n%", b"\\n%20<>\\n%"),
        (VALUE + VALUE, b"<><>"),
        (b"{{secret:key#1}} " + VALUE, b"{{secret:key#1}} <>"),
    ],
)
def test_only_the_secret_is_replaced_and_all_of_it(text: bytes, stored: bytes) -> None:
    assert spelled(text) == stored


def test_a_short_value_is_replaced_where_it_stands_alone() -> None:
    text = b"abcdefg1 xabcdefg1 abcdefg12 \\nabcdefg1\ndata: x\ndata: abcdefg1"
    assert spelled(text, b"abcdefg1") == b"<> xabcdefg1 abcdefg12 \\n<>\ndata: x\ndata: <>"


def test_a_short_value_inside_a_word_is_none() -> None:
    assert spelled(b"xabcdefg1", b"abcdefg1") == b"xabcdefg1"


def test_bytes_that_came_as_latin_1_are_found_in_utf_8() -> None:
    assert spelled("wörd-1234567".encode(), "wörd-1234567".encode("latin-1")) == b"<>"
    assert spelled(b'"\\u00f6\\ud83d\\ude00-1234567"', "ö😀-1234567".encode()) == b'"<>"'


def test_overlapping_secrets_go_together_under_the_longest() -> None:
    secrets = [
        known(b"abcdefg1", b"<short>"),
        known(b"abcdefg1-ijklmnop", b"<long>"),
        known(b"ijklmnop-qrst-22", b"<3>"),
    ]
    assert replaced(b"abcdefg1-ijklmnop-qrst-22 abcdefg1", secrets) == b"<long> <short>"


def test_a_probe_that_begins_inside_an_escape_takes_the_whole_escape() -> None:
    inside = Known(b"x" * 16, b"<>", (b"\x98\x801234567",))
    assert replaced(b"a\\ud83d\\ude001234567b", [inside]) == b"a<>b"
    ends = Known(b"x" * 16, b"<>", (b"1234567\xf0\x9f",))
    assert replaced(b"a1234567\\ud83d\\ude00b", [ends]) == b"a<>b"


@given(st.text(st.sampled_from('ab%\\u0025dn/"{}\n: '), max_size=40).map(str.encode))
def test_a_text_without_the_secret_stays_as_it_is(text: bytes) -> None:
    assert spelled(text) == text


@pytest.mark.parametrize("before", [b"", b"event: x\n", b": a\n", b"data: {}\n", b"id: %20\n"])
def test_a_known_value_is_found_where_it_stands_in_a_frame(before: bytes) -> None:
    frame = before + b'data: {"a":"' + VALUE + b'"}\n\n'
    assert spelled(frame) == before + b'data: {"a":"<>"}\n\n'


LONG = b"Opaq/" + b"AbCd+EfGh-" * 8


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"", 0), (b"x", 1), (b"x Opaq", 2), (b"x Opaq%2", 2), (b"x %2", 2), (b"x %2 ", 5), (b"x \\", 2),
        (b"x Opaq\\u002", 2), (b"x Opaq%2FAbCd", 2), (b"x " + LONG[:60], 2), (b"x " + LONG, 2 + len(LONG)),
        (b"Opaq/" + LONG[:-1], 5), (LONG[:40] + LONG[:50], 40), (b"event: x\ndata: Opaq", 15),
        (b"yyy" + LONG[:32] + b"!" + LONG[:33], 36),
    ],
)  # fmt: skip
def test_where_a_known_value_may_have_begun(text: bytes, at: int) -> None:
    assert begun(text, [known(LONG, b"<>")]) == at


@given(st.binary(max_size=50), st.integers(1, len(LONG) - 1))
def test_a_beginning_is_never_passed_over(before: bytes, size: int) -> None:
    assert begun(before + LONG[:size], [known(LONG, b"<>")]) <= len(before)


hiding = st.sampled_from(
    [
        *(b"\\n", b'\\"', b"\\", b"\\\\", b"\\t", b"\\u0041", b"\\/", b"%41", b"n", b'"', b"\n", b"data:", b"\ndata: "),
        *(b"Opaq", b"/AbCd", b"+EfGh", b"/Ij", VALUE, b"Value with\\n", b"Value with\n", b"a line 1"),
    ]
)


@given(
    st.lists(hiding, max_size=9).map(b"".join), st.sampled_from([VALUE, b"Value with\na line 1", b'"Opaq/AbCd+EfGh"'])
)
@example(b"Value with\\na line 1", b"Value with\na line 1")
@example(b'{"a":"\\nOpaq/AbCd+EfGh/Ij\\"x"}', VALUE)
@example(b"event: a\\n\ndata: Opaq/AbCd\ndata: +EfGh/Ij\n\n", VALUE)
def test_what_does_not_hide_a_value_holds_it_as_it_is(data: bytes, value: bytes) -> None:
    secret = known(value, b"<>")
    if not may_hide(data, [secret]) and holds(data, [secret]):
        assert any(probe in data for probe in secret.probes)


@pytest.mark.parametrize(
    ("data", "hides"),
    [(b"plain", False), (b'{"a":"\\n\\"b\\""}', False), (b"a\\tb", True), (b"a%41", True), (b"\\\\n", True)],
)
def test_line_ends_and_quotes_hide_no_value_without(data: bytes, hides: bool) -> None:
    assert may_hide(data, [known(VALUE, b"<>")]) is hides
    assert not may_hide(data, [])
