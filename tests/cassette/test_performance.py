"""Editing what is served: every byte keeps its time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.pace import Piece
from wiretape.cassette.performance import Performance, perform

STREAM = ((b"Content-Type", b"text/event-stream"),)


def performance(*pieces: Piece) -> Performance:
    return Performance(status=200, headers=STREAM, pieces=pieces)


@st.composite
def performances(draw: st.DrawFn) -> Performance:
    gaps = draw(st.lists(st.integers(0, 9), max_size=6))
    offsets = [float(sum(gaps[: place + 1])) for place in range(len(gaps))]
    return performance(*((offset, draw(st.binary(min_size=1, max_size=5))) for offset in offsets))


def times(one: Performance) -> list[float]:
    """When each byte leaves."""
    return [offset for offset, data in one.pieces for _ in data]


@given(performances(), st.integers(0, 30))
def test_what_is_cut_is_a_beginning_at_the_same_times(one: Performance, place: int) -> None:
    cut = one.until(place, Ended.UPSTREAM_FAILED)
    assert (cut.body, cut.how) == (one.body[:place], Ended.UPSTREAM_FAILED)
    assert times(cut) == times(one)[:place]
    assert all(data for _, data in cut.pieces)


@given(performances(), st.data())
def test_what_is_spliced_changes_no_other_bytes_time(one: Performance, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(one.body)))
    stop = data.draw(st.integers(start, len(one.body)))
    new = data.draw(st.binary(max_size=4))
    made = one.spliced(start, stop, new)
    assert made.body == one.body[:start] + new + one.body[stop:]
    assert times(made)[:start] == times(one)[:start]
    assert times(made)[start + len(new) :] == times(one)[stop:]
    assert times(made) == sorted(times(made))
    assert all(data for _, data in made.pieces)


@given(performances(), st.integers(0, 30), st.integers(0, 9))
def test_a_pause_delays_what_is_behind_it_alone(one: Performance, place: int, for_s: int) -> None:
    paused = one.paused(place, for_s)
    assert paused.body == one.body
    assert times(paused) == times(one)[:place] + [offset + for_s for offset in times(one)[place:]]


@given(performances(), st.lists(st.integers(1, 4), min_size=30, max_size=30))
def test_what_is_cut_anew_leaves_no_byte_early_and_none_later_than_its_last(one: Performance, sizes: list[int]) -> None:
    recut = one.recut(iter(sizes))
    assert recut.body == one.body
    assert [len(data) for _, data in recut.pieces[:-1]] == sizes[: max(len(recut.pieces) - 1, 0)]
    assert all(now >= was for now, was in zip(times(recut), times(one), strict=True))
    assert set(times(recut)) <= set(times(one))
    assert all(earlier <= later for earlier, later in pairwise(times(recut)))


def test_events_are_the_whole_frames_with_data() -> None:
    body = b": hello\n\nevent: a\ndata: 1\n\ndata: 2\n\ndata: torn"
    found = performance((0, body[:13]), (1, body[13:])).events
    assert [(event.name, event.data, body[event.start : event.stop]) for event in found] == [
        ("a", b"1", b"event: a\ndata: 1\n\n"), ("", b"2", b"data: 2\n\n"),
    ]  # fmt: skip


def test_an_interaction_is_performed_as_it_was_recorded() -> None:
    recorded = Interaction(
        index=1, method="GET", target="/", status=201, body=b"abc", how=Ended.COMPLETE, chunks=((5, 1), (5, 2))
    )
    assert perform(recorded, 1) == Performance(
        status=201, headers=((b"Content-Length", b"3"),), pieces=((0.005, b"a"), (0.01, b"bc")), how=Ended.COMPLETE
    )
    assert perform(recorded).events == ()
