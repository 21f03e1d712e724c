"""Deltas wait for one another, and for nothing else; what was fed comes out in order, each chunk once."""

from hypothesis import given
from hypothesis import strategies as st

from wiretape.dialects import assistants
from wiretape.exchange import Chunk
from wiretape.runs.later import BYTES_MAX, CHUNKS_MAX, WAIT_NS, Later

DELTA = b'event: thread.message.delta\ndata: {"id":"msg_1"}\n\n'
OTHER = b'event: thread.run.completed\ndata: {"id":"run_1"}\n\n'


def later() -> Later:
    """One that has read its first chunk."""
    one = Later(assistants)
    assert one.due(Chunk(DELTA, 0)) == [Chunk(DELTA, 0)]
    return one


@given(st.lists(st.tuples(st.sampled_from([DELTA, DELTA, DELTA + DELTA, OTHER, DELTA[:9]]), st.integers(0, WAIT_NS))))
def test_every_chunk_is_given_once_and_in_order(steps: list[tuple[bytes, int]]) -> None:
    one, fed, given_, at_ns = Later(assistants), [], [], 0
    for data, gap_ns in steps:
        at_ns += gap_ns
        fed.append(Chunk(data, at_ns))
        given_ += one.due(fed[-1])
        assert data == DELTA or given_ == fed
        assert len(fed) - len(given_) < CHUNKS_MAX
    assert given_ + list(one.rest()) == fed
    assert not one.rest()


def test_deltas_wait_until_they_are_many() -> None:
    one = later()
    waiting = [Chunk(DELTA, at_ns) for at_ns in range(CHUNKS_MAX)]
    assert [one.due(chunk) for chunk in waiting[:-1]] == [()] * (CHUNKS_MAX - 1)
    assert one.due(waiting[-1]) == waiting


def test_whatever_else_comes_is_read_at_once_with_those_before_it() -> None:
    one = later()
    assert not one.due(Chunk(DELTA, 1))
    assert one.due(Chunk(OTHER, 2)) == [Chunk(DELTA, 1), Chunk(OTHER, 2)]


def test_a_delta_that_comes_late_is_read_at_once() -> None:
    one = later()
    assert not one.due(Chunk(DELTA, WAIT_NS - 1))
    assert len(one.due(Chunk(DELTA, WAIT_NS))) == 2


def test_a_large_delta_and_one_of_no_known_family_do_not_wait() -> None:
    large = DELTA[:-2] + b" " * BYTES_MAX + b"\n\n"
    assert len(later().due(Chunk(large, 1))) == 1
    unknown = Later(None)
    assert [len(unknown.due(Chunk(DELTA, at_ns))) for at_ns in (0, 1)] == [1, 1]
