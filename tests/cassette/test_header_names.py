from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.format import all_may_stand, may_stand
from wiretape.cassette.header_names import forwarded, names_of
from wiretape.wire.headers import end_to_end

names = st.sampled_from(
    [*(b"Accept", b"Connection", b"TE", b"Keep-Alive", b"X-One", b"x-two", b"Location", b"a b", b"", b"Upgrade")]
)
values = st.sampled_from([b"", b"keep-alive", b" Close", b"x-one", b"X-Two, close", b"a\r", b"a\0", b"a\nb", b"plain"])
headers = st.lists(st.tuples(names, values), max_size=6).map(tuple)


@given(headers)
def test_the_fields_that_are_forwarded_are_those_that_are_end_to_end(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert forwarded(fields) == end_to_end(fields)


@given(headers)
def test_all_may_stand_where_each_may(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert all_may_stand(fields) is all(may_stand(*field) for field in fields)


def test_names_tell_what_they_are() -> None:
    told = names_of((b"Location", b"X-One"))
    assert (told.joined, told.folded, told.are_tokens, told.hold_urls) == (
        b"Location\0X-One",
        b"location\0x-one",
        True,
        True,
    )
