"""What a cursor can say about a request that nothing answers: what is like it, and what came of its equals."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from wiretape.cassette.bindings import Bindings
from wiretape.cassette.format import Interaction
from wiretape.cassette.ids import apart, find, replaced
from wiretape.cassette.key import Key, digest
from wiretape.cassette.miss import Asked, Known
from wiretape.cassette.nearest import Near, distance, nearest
from wiretape.cassette.progress import Progress
from wiretape.cassette.recordings import Recordings

_COMPARED_MAX = 32
"""Bodies are compared with so many recordings only: those with the most similar method and path."""
_UNPLAYED_SHOWN_MAX = 5


class Reasons:
    """Why one session's requests are not answered."""

    def __init__(self, library: Recordings, progress: Progress, ids: Bindings) -> None:
        self._library = library
        self._progress = progress
        self._ids = ids
        self._seen: set[str] = set()
        """Ids in the answers that were played."""

    def known(self, asked: Asked, path: str, wanted: Key) -> Known:
        """All that can be said; `path` has the recorded ids, `asked` and `wanted` the client's."""
        digested = digest(wanted.shape, map(self._ids.recorded, wanted.ids))
        times, why_not = self._progress.why_not(asked.method, path, digested)
        return Known(
            times_recorded=times,
            why_not=why_not,
            nearest=() if times else self._nearest(asked, path),
            unplayed=[self._library.entry(at) for at in islice(self._progress.left(), _UNPLAYED_SHOWN_MAX)],
            unplayed_count=len(self._library.interactions) - len(self._progress.passed),
            replayed_id=self._replayed_id(wanted.ids),
        )

    def _nearest(self, asked: Asked, path: str) -> tuple[Near, ...]:
        likely, rules = self._likely(asked.method, path), self._library.rules
        return nearest(self._meant(asked), likely, self._is_played, rules, self._ids.may_stand)

    def _meant(self, asked: Asked) -> Asked:
        """The request with the recorded ids in it."""
        target = replaced(asked.target.encode(), self._ids.recorded)[0].decode()
        return Asked(asked.method, target, asked.headers, replaced(asked.body, self._ids.recorded)[0])

    def _likely(self, method: str, path: str) -> list[tuple[int, Interaction]]:
        """(position, interaction): of this very path first, then of the nearest; around what was played last."""
        same = (
            self._library.positions(strand, method, path)
            for strand in self._progress.order(self._library.having(method, path))
        )
        template = apart(path)[0]
        near = sorted(self._library.templates, key=lambda one: distance(method, template, *one))
        found = chain(*map(self._around, same), *map(self._around, map(self._library.templates.__getitem__, near)))
        return [(at, self._library.interactions[at]) for at in islice(dict.fromkeys(found), _COMPARED_MAX)]

    def _around(self, positions: Sequence[int]) -> Iterator[int]:
        latest = bisect_left(positions, self._progress.latest)
        start = max(0, min(latest - _COMPARED_MAX // 2, len(positions) - _COMPARED_MAX))
        return iter(positions[start : start + _COMPARED_MAX])

    def _is_played(self, position: int) -> bool:
        return position in self._progress.passed

    def _replayed_id(self, clients: Sequence[str]) -> str | None:
        """An id the request names that an answer of this session has introduced."""
        named = [one for one in clients if self._ids.recorded(one) in self._library.introduced]
        if named:
            self._see()
        return next((one for one in named if self._ids.recorded(one) in self._seen), None)

    def _see(self) -> None:
        for position in self._progress.answers:
            self._seen.update(find(self._library.interactions[position].body.decode("utf-8", "replace")))
        self._progress.answers.clear()
