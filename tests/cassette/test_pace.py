from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wiretape.cassette.format import Interaction
from wiretape.cassette.pace import PIECE_BYTES, PaceOptions, fits, schedule

BODY = b"first second"


def answer(chunks: tuple[tuple[int, int], ...], frames: tuple[int, ...] = (), body: bytes = BODY) -> Interaction:
    return Interaction(index=1, method="GET", target="/", status=200, body=body, chunks=chunks, frames=frames)


@pytest.mark.parametrize(("speed", "offsets"), [(1, [0.35, 0.362]), (2, [0.175, 0.181]), (0.5, [0.7, 0.724])])
def test_pieces_leave_at_their_recorded_offset(speed: float, offsets: list[float]) -> None:
    found = schedule(answer(((350, 6), (12, 6))), speed)
    assert [data for _, data in found] == [b"first ", b"second"]
    assert [offset for offset, _ in found] == pytest.approx(offsets)


def test_at_speed_0_all_leaves_at_once_in_pieces_as_large_as_one_write_may_be() -> None:
    assert schedule(answer(((350, 6), (12, 6))), 0) == [(0, BODY)]
    long = bytes(PIECE_BYTES + 1)
    assert schedule(answer(((350, len(long)),), body=long), 0) == [(0, long[:-1]), (0, long[-1:])]


def test_an_empty_reads_gap_goes_to_the_next() -> None:
    assert schedule(answer(((5, 0), (5, 6), (5, 0), (5, 6))), 1) == [(0.01, b"first "), (0.02, b"second")]


def test_times_that_no_longer_fit_fall_back_to_the_frames_borders() -> None:
    edited = answer(((100, 3), (50, 3), (150, 90)), frames=(6, 4, 2))
    assert not fits(edited)
    assert schedule(edited, 1) == [(0.1, b"first "), (0.2, b"seco"), (0.3, b"nd")]


@pytest.mark.parametrize("chunks", [(), ((7, 3),)])
def test_a_body_without_frames_whose_times_do_not_fit_leaves_in_one_piece(chunks: tuple[tuple[int, int], ...]) -> None:
    assert schedule(answer(chunks), 1) == [(0.007 if chunks else 0.0, BODY)]


def test_an_empty_body_has_no_pieces() -> None:
    assert schedule(answer((), body=b""), 1) == []


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 9)).map(tuple), max_size=8).map(tuple),
    st.floats(0, 100),
    st.booleans(),
)
def test_every_byte_leaves_once_in_order_and_never_earlier_than_the_last(
    chunks: tuple[tuple[int, int], ...], speed: float, fit: bool
) -> None:
    body = bytes(range(sum(size for _, size in chunks) + (0 if fit else 1)))
    found = schedule(answer(chunks, body=body), speed)
    offsets = [offset for offset, _ in found]
    assert b"".join(data for _, data in found) == body
    assert offsets == sorted(offsets)
    assert all(data for _, data in found)


SCHEDULED = answer(((350, 2), (12, 4), (31, 6)))


def gaps(offsets: list[float]) -> list[float]:
    return [later - sooner for sooner, later in pairwise([0.0, *offsets])]


@given(st.floats(0.01, 10), st.floats(0, 3), st.integers(0, 9))
def test_jitter_makes_each_gap_longer_by_its_share_at_most(speed: float, jitter: float, seed: int) -> None:
    plain = gaps([offset for offset, _ in schedule(SCHEDULED, speed)])
    bent = gaps([offset for offset, _ in schedule(SCHEDULED, speed, PaceOptions(jitter=jitter, seed=seed))])
    slack = 1e-9
    assert all(was - slack <= is_now <= was * (1 + jitter) + slack for was, is_now in zip(plain, bent, strict=True))


def test_jitter_follows_from_its_seed() -> None:
    first, again, other = [schedule(SCHEDULED, 1, PaceOptions(jitter=1, seed=seed)) for seed in (1, 1, 2)]
    assert first == again
    assert first != other


@given(st.floats(0.01, 10), st.floats(0, 1), st.floats(0, 1))
def test_no_gap_is_longer_than_the_bound(speed: float, gap_max_s: float, jitter: float) -> None:
    bent = schedule(SCHEDULED, speed, PaceOptions(gap_max_s=gap_max_s, jitter=jitter))
    assert all(gap <= gap_max_s + 1e-9 for gap in gaps([offset for offset, _ in bent]))


def test_a_recording_without_times_keeps_the_stated_ones() -> None:
    imported = replace(answer((), frames=(6, 4, 2)), times_known=False)
    assert [offset for offset, _ in schedule(imported, 1)] == pytest.approx([0.3, 0.32, 0.34])
    stated = PaceOptions(unknown_first_s=1, unknown_gap_s=0.5)
    assert [offset for offset, _ in schedule(imported, 2, stated)] == pytest.approx([0.5, 0.75, 1.0])
    assert [offset for offset, _ in schedule(replace(imported, frames=()), 1, stated)] == [1.0]
    assert schedule(imported, 0, stated) == [(0, BODY)]
