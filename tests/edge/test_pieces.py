"""Pieces come as they happened and are given exchange by exchange, in batches that hold nobody up."""

from support.tapes import request
from wiretape.cassette.recorder import Take
from wiretape.edge.pieces import BATCH_PIECES_MAX, Queue, Slot
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.writer import cut


def test_pieces_are_given_exchange_by_exchange_each_in_its_order() -> None:
    queue, one, other = Queue(RecordOptions()), Slot(1, request()), Slot(2, request())
    for slot, step, value in (
        *((one, Take.head, "h"), (other, Take.chunks, "a"), (one, Take.chunks, "b"), (other, Take.chunks, "c")),
        *((one, Take.chunks, "d"), (one, Take.sent, "s"), (one, Take.chunks, "e"), (other, Take.end, "f")),
    ):
        assert queue.put(slot, step, value, 1)
    batches, over = queue.take()
    assert [(batch.slot, batch.pieces, batch.bytes) for batch in batches] == [(one, 5, 5), (other, 3, 3)]
    assert [batch.calls for batch in batches] == [
        [(Take.head, ["h"]), (Take.chunks, ["b", "d"]), (Take.sent, ["s"]), (Take.chunks, ["e"])],
        [(Take.chunks, ["a", "c"]), (Take.end, ["f"])],
    ]
    assert (over, queue.take()) == (None, ([], None))


def test_a_batch_is_bounded_in_pieces_and_bytes() -> None:
    queue, slot = Queue(RecordOptions()), Slot(1, request())
    for number in range(BATCH_PIECES_MAX + 1):
        queue.put(slot, Take.chunks, number, 1)
    for size in (64 << 10, 1):
        queue.put(slot, Take.chunks, size, size)
    assert [batch.pieces for batch in queue.take()[0]] == [BATCH_PIECES_MAX, 2, 1]


def test_what_comes_behind_the_end_of_a_session_is_not_taken_before_it() -> None:
    queue, before, behind = Queue(RecordOptions()), Slot(1, request()), Slot(2, request())
    queue.put(before, Take.head, None, 0)
    queue.force(None, cut, "alice")
    queue.put(behind, Take.head, None, 0)
    for slot, over in ((before, "alice"), (behind, None)):
        batches, name = queue.take()
        assert ([batch.slot for batch in batches], name) == ([slot], over)


def test_what_was_taken_needs_room_until_it_is_done() -> None:
    queue, slot = Queue(RecordOptions(journal_queue_max=2, journal_queue_bytes_max=9)), Slot(1, request())
    assert queue.put(slot, Take.sent, None, 9)
    queue.take()
    assert (queue.pieces, queue.put(slot, Take.sent, None, 1)) == (1, False)
    queue.done(1, 9)
    assert (queue.pieces, queue.put(slot, Take.sent, None, 9), queue.put(slot, Take.sent, None, 0)) == (0, True, True)
    assert not queue.put(slot, Take.sent, None, 0)
