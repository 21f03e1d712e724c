from itertools import islice

from wiretape.cassette.chance import draws


def test_the_same_seed_draws_the_same_and_another_draws_other_numbers() -> None:
    first, again, other = [list(islice(draws("a", seed), 200)) for seed in (1, 1, 2)]
    assert first == again
    assert not set(first) & set(other)
    assert len(set(first)) == 200


def test_draws_lie_from_nought_to_one_and_all_over() -> None:
    found = list(islice(draws(7), 1_000))
    assert all(0 <= one < 1 for one in found)
    assert [sum(low <= one < low + 0.25 for one in found) > 200 for low in (0, 0.25, 0.5, 0.75)] == [True] * 4
