"""Recordings made by hand: what a test tells an observer."""

import os
from pathlib import Path

from support.tapes import JSON, MS, WALL_NS
from wiretape.edge.store import Recording, RecordOptions
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Observer

QUICK = RecordOptions(journal_lag_s=0.001)


def begun(stem: Path, options: RecordOptions = QUICK, wall_ns: int = WALL_NS, *, over: bool = False) -> Recording:
    """Begin a recording."""
    return Recording.open(stem, "https://u:p@api.example.com", "wiretape test", wall_ns, options, over=over)


def watched(observer: Observer, chunks: list[bytes], headers: Headers = JSON, how: How = How.COMPLETE) -> None:
    """Tell of one exchange."""
    observer.sent(Chunk(b'{"a":1}', 0))
    observer.head(Head(200, headers, MS))
    for place, data in enumerate(chunks, 1):
        observer.chunk(Chunk(data, place * 10 * MS))
    observer.end(Ending(how, 99 * MS))


def wait_until_written(recording: Recording) -> None:
    """Let the writer take all that waits."""
    while recording.waiting:
        os.sched_yield()


def wait_until_settled(recording: Recording) -> None:
    """Let the disk have all that was written."""
    while recording._reels.is_unsettled:
        os.sched_yield()
