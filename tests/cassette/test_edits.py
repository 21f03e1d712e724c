import itertools

from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.edits import Edit, Found, apart, applied, moved


def test_of_two_that_overlap_the_first_stands() -> None:
    found = [Found(0, 4, "a", b""), Found(2, 6, "b", b""), Found(4, 5, "c", b"")]
    assert [one.kind for one in apart(found)] == ["a", "c"]


def test_a_border_inside_what_was_replaced_goes_behind_it() -> None:
    edits = [Edit(2, 6, b"<>"), Edit(8, 9, b"long")]
    assert applied(b"0123456789", edits) == b"01<>67long9"
    assert [moved(cut, edits) for cut in range(11)] == [0, 1, 2, 4, 4, 4, 4, 5, 6, 10, 11]


spans = st.lists(st.integers(0, 40), unique=True, max_size=8).map(sorted)


@given(st.binary(min_size=40, max_size=40), spans, spans, st.binary(max_size=5))
def test_pieces_joined_again_are_the_text_that_was_edited(
    data: bytes, at: list[int], cuts: list[int], new: bytes
) -> None:
    edits = [Edit(start, end, new) for start, end in zip(at[::2], at[1::2], strict=False)]
    after = applied(data, edits)
    borders = [0, *(moved(cut, edits) for cut in cuts), len(after)]
    assert borders == sorted(borders)
    assert b"".join(after[start:end] for start, end in itertools.pairwise(borders)) == after
