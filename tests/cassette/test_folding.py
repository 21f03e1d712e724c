"""A known secret in encodings inside one another: nothing of it is left, and all else is as it was."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.tapes import STREAM, request, taken
from wiretape.cassette.folding import LAYERS_MAX, Origin, fold, layered, layers, placed, unbroken
from wiretape.cassette.spelling import begun, holds, known, may_hide, replaced
from wiretape.exchange import Headers

KEY = "uK7-Opaq/AbCd+EfGh=Ij"
SECRET = known(KEY.encode(), b"<>")
HEADERS: Headers = ((b"Authorization", b"Bearer " + KEY.encode()),)
FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)

Encode = Callable[[str], str]


def in_percent(text: str) -> str:
    return "".join(f"%{ord(char):02X}" for char in text)


def in_json(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def in_string(text: str) -> str:
    return json.dumps(text)[1:-1]


def mixed(encode: Encode, must: str, chance: random.Random, text: str) -> str:
    """Some characters are escaped, and those that have to be."""
    escape = {"\\": chance.choice((in_string, in_json)), "%": in_percent}[must]
    return "".join(escape(char) if char == must else chance.choice((encode, str))(char) for char in text)


def some(encode: Encode, must: str) -> st.SearchStrategy[Encode]:
    return st.randoms(use_true_random=False).map(lambda chance: partial(mixed, encode, must, chance))


layer = st.one_of(
    st.sampled_from([in_percent, in_json, in_string, partial(quote, safe="")]),
    some(in_percent, "%"),
    some(in_json, "\\"),
)
nested = st.lists(layer, min_size=1, max_size=2).map(lambda found: reduce(lambda text, one: one(text), found, KEY))


def told_of(stored: bytes) -> str:
    """What is left of a journal when all is undone that can be: a part of the key would be seen there."""
    return layered(stored).decode("latin-1")


def parts() -> Iterator[str]:
    return (KEY[at : at + 6] for at in range(len(KEY) - 5))


@given(nested, st.sampled_from([(" ", " "), ("/x/", "?a=b"), ('{"a":"', '"}'), ("%20\\n", "\\n%20"), ("x=", "&y=1")]))
@example(in_percent(in_json(KEY)), ("/x/", "?a=b"))
@example(in_json(in_percent(KEY)), ('{"a":"', '"}'))
@example(in_percent(in_percent(KEY)), ("/x?a=", ""))
@example(in_string(in_json(KEY)).replace("u", "\\u0075"), ('{"a":"', '"}'))
def test_it_goes_whatever_it_is_encoded_in_and_all_else_stays(spelled: str, around: tuple[str, str]) -> None:
    before, after = around
    text = f"{before}{spelled}{after}".encode()
    assert replaced(text, [SECRET]) == f"{before}<>{after}".encode()
    assert holds(text, [SECRET])
    assert may_hide(text, [SECRET]) or any(probe in text for probe in SECRET.probes)


@given(nested, st.lists(st.integers(1, 200), max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
@example(in_json(KEY), [3, 9, 20], "\n")
@example(in_percent(in_json(KEY)), [4, 17], "\n")
def test_it_goes_where_lines_of_data_break_it_anywhere(spelled: str, cuts: Sequence[int], line_end: str) -> None:
    borders = sorted({0, len(spelled), *(at for at in cuts if at < len(spelled))})
    lines = (f"{line_end}data: ").join(spelled[start:end] for start, end in pairwise(borders))
    frame = f"event: x{line_end}data: a {lines} b{line_end}{line_end}".encode()
    assert replaced(frame, [SECRET]) == f"event: x{line_end}data: a <> b{line_end}{line_end}".encode()


@given(nested, st.integers(1, 1000))
@example(in_percent(in_json(KEY)), 5)
@example("%\\u0037\\u0035" + KEY[1:], 8)
def test_its_beginning_is_never_passed_over(spelled: str, size: int) -> None:
    text = spelled[: min(size, len(spelled) - 1)].encode()
    assert begun(b"say " + text, [SECRET]) <= len(b"say ") or holds(text, [SECRET])


@given(nested)
@example(in_percent(in_json(KEY)))
def test_no_part_of_it_is_in_a_journal(spelled: str) -> None:
    value, field = spelled.encode(), spelled.replace("\\", "%5C")
    frames = [b"data: " + value + b"\n\n", b'data: {"a":"' + value + b'"}\n\n']
    for asked, body in (
        (request("POST", f"/x/{field}?a={field}", HEADERS), b""),
        (request("POST", headers=(*HEADERS, (b"X-Note", value))), b""),
        (request("POST", headers=(*HEADERS, *FORM)), f"a={field}&b=1".encode()),
        (request("POST", headers=HEADERS), b'{"a":"' + value + b'"}'),
    ):
        told = told_of(b"".join(taken(asked, body, headers=STREAM, chunks=frames)))
        assert not [part for part in parts() if part in told]


def test_a_text_without_escapes_is_one_layer_and_none_is_made() -> None:
    text = b'{"a":1}\ndata: x'
    assert layers(text)[0] is text
    assert layered(text) is text
    assert layers(b"100% of") == [b"100% of"]


def test_no_text_is_folded_more_often_than_the_bound_says() -> None:
    deep = reduce(lambda text, _: in_json(in_percent(text)), range(3), "a").encode()
    assert len(layers(deep)) == LAYERS_MAX
    assert layers(deep)[-1] != b"a"
    assert begun(deep, [SECRET]) <= len(deep)


def test_a_place_leads_back_through_all_layers() -> None:
    text = b"x %5Cu004b y"
    (once, outer), (twice, inner) = placed(text)
    assert (once, twice) == (b"x \\u004b y", b"x K y")
    assert (outer.start(2), outer.end(8), inner.start(2), inner.end(3)) == (2, 10, 2, 10)
    assert (inner.start(4), inner.end(5)) == (11, 12)
    assert Origin(b"abc").end(2) == 2


@pytest.mark.parametrize(
    ("text", "whole"),
    [(b"x", b"x"), (b"x%2", b"x"), (b"x%\\", b"x"), (b"x\\u00%", b"x"), (b"x%41", b"x%41"), (b"% x", b"% x")],
)
def test_an_escape_that_is_broken_off_is_left_out(text: bytes, whole: bytes) -> None:
    assert unbroken(text) == whole


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        (b"\\u0075", b"u"),
        (b"\\\\u0075", b"u"),
        (b"\\\\\\u0075", b"\\u"),
        (b"\\\\\\u004b", b"K"),
        (b"\\\\\\\\u0075", b"u"),
    ],
)
def test_an_escaped_letter_of_an_escape_leaves_one_behind(text: bytes, folded: bytes) -> None:
    assert fold(text) == folded
