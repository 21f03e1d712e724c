from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wiretape.sandbox.chunks import Cut, chunks, score, sought, text_of, usage_bytes, words

CUTS = st.integers(2, 12).flatmap(lambda size: st.builds(Cut, st.just(size), st.integers(0, size // 2)))


@given(st.text(), CUTS)
def test_chunks_without_their_overlap_are_the_text(text: str, cut: Cut) -> None:
    overlap = cut.chunk_overlap_tokens * 4
    pieces = chunks(text, cut)
    assert "".join(piece[overlap if index else 0 :] for index, piece in enumerate(pieces)) == text


@given(st.text(min_size=1), CUTS)
def test_every_chunk_is_full_but_the_last_and_none_is_all_overlap(text: str, cut: Cut) -> None:
    pieces = chunks(text, cut)
    assert {len(piece) for piece in pieces[:-1]} <= {cut.max_chunk_size_tokens * 4}
    assert len(pieces) == 1 or len(pieces[-1]) > cut.chunk_overlap_tokens * 4


def test_a_chunk_is_800_tokens_of_four_characters_and_half_of_it_comes_again() -> None:
    assert [len(piece) for piece in chunks("x" * 5_000, Cut())] == [3_200, 3_200, 1_800]
    assert chunks("", Cut()) == []


def test_a_short_text_uses_its_bytes_and_1024_more() -> None:
    assert usage_bytes(chunks("x" * 21, Cut())) == 1_045  # openai-dotnet, CanUseBatchIngestion


def test_a_score_is_the_share_of_the_words_that_say_something() -> None:
    wanted = sought("What is the capital of France?")
    assert wanted == {"capital", "france"}
    assert score(wanted, "FRANCE has a capital, Paris.") == 1.0
    assert score(wanted, "Capitals of the world") == 0.5
    assert score(wanted, "Nothing") == score(frozenset(), "Nothing") == 0.0


def test_a_query_of_dull_words_asks_for_them() -> None:
    assert sought("who is it") == {"who", "i", "it"}


@given(st.text(), st.text())
def test_a_score_is_from_0_to_1_and_whole_for_the_query_itself(query: str, chunk: str) -> None:
    wanted = sought(query)
    assert 0 <= score(wanted, chunk) <= 1
    assert score(wanted, query) == bool(wanted)


@given(st.text())
def test_words_do_not_depend_on_case(text: str) -> None:
    assert words(text) == words(text.casefold())


def test_only_utf8_is_text() -> None:
    assert text_of(b"\xef\xbb\xbfna\xc3\xafve") == "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve"
    assert not text_of(b"\x89PNG\xff")
