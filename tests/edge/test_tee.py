"""An observer that fails is dropped for its exchange and counted; the others and the client go on."""

import pytest

from wiretape.edge.tee import Tee
from wiretape.exchange import Chunk, Ending, Head, How


class Notes:
    """An observer that notes what it is told, and fails at one of the calls."""

    def __init__(self, fails_at: str = "") -> None:
        self.told: list[str] = []
        self._fails_at = fails_at

    def sent(self, chunk: Chunk) -> None:
        self._note("sent")

    def head(self, head: Head) -> None:
        self._note("head")

    def chunk(self, chunk: Chunk) -> None:
        self._note("chunk")

    def end(self, ending: Ending) -> None:
        self._note("end")

    def _note(self, call: str) -> None:
        self.told.append(call)
        if call == self._fails_at:
            raise RuntimeError(call)


CALLS = ["sent", "head", "chunk", "end"]


def told_all(tee: Tee) -> None:
    tee.sent(Chunk(b"a", 0))
    tee.head(Head(200, (), 1))
    tee.chunk(Chunk(b"b", 2))
    tee.end(Ending(How.COMPLETE, 3))


@pytest.mark.parametrize("call", CALLS)
def test_an_observer_that_raises_hears_no_more_and_the_others_all(call: str) -> None:
    failing, other = Notes(call), Notes()
    tee = Tee(failing, other)
    told_all(tee)
    assert failing.told == CALLS[: CALLS.index(call) + 1]
    assert other.told == CALLS
    assert [str(error) for error in tee.dropped] == [call]


def test_one_may_join_before_the_first_piece() -> None:
    tee, late = Tee(), Notes()
    tee.add(late)
    told_all(tee)
    assert late.told == CALLS
