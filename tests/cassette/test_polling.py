"""Polls of recordings made by others: a client that polls less or more often than the recorder did ends as it did.

The groups are the identical GETs of each recording, up to 40 in one. The client makes `k` polls where the recording
made some, before each write and at the end, for every `k` from 1 to twice as many.
"""

import json
from itertools import groupby, pairwise
from typing import NamedTuple

import pytest

from support import corpora
from support.tapes import request
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.match import Cursor, Library, Matching

TERMINAL = {"completed", "failed", "cancelled", "expired", "incomplete"}


class Group(NamedTuple):
    """One read that was made several times, and the recording that it stands in."""

    target: str
    times: int
    tape: Tape


def groups() -> list[Group]:
    return [group for path, exchanges in corpora.files() for group in _groups(str(path), list(exchanges))]


def _groups(source: str, exchanges: list[corpora.Recorded]) -> list[Group]:
    tape = Tape(header=Header(upstream=source), interactions=tuple(map(_interaction, range(1, 999), exchanges)))
    reads = [one.target for one in exchanges if one.method == "GET"]
    return [Group(target, reads.count(target), tape) for target in dict.fromkeys(reads) if reads.count(target) > 1]


def _interaction(index: int, one: corpora.Recorded) -> Interaction:
    return Interaction(
        index=index, method=one.method, target=one.target, request_body=one.request, status=one.status,
        headers=((b"Content-Type", one.media_type.encode()),), body=one.body, how=Ended.COMPLETE,
    )  # fmt: skip


def stretches(group: Group) -> list[tuple[bool, list[Interaction]]]:
    """The recording in order: runs of the group's polls, and what lies between them."""
    parts = groupby(group.tape.interactions, key=lambda one: (one.method, one.target) == ("GET", group.target))
    return [(is_polls, list(ones)) for is_polls, ones in parts]


def got(cursor: Cursor, one: Interaction) -> Interaction:
    found = cursor.find(request(one.method, one.target, one.request_headers), one.request_body)
    assert isinstance(found, Interaction)
    return found


def last_before_a_write(group: Group, part: int) -> Interaction:
    """The last poll that was recorded before the next write: what a client that polls long enough gets."""
    last = stretches(group)[part][1][-1]
    for is_polls, ones in stretches(group)[part + 1 :]:
        if not is_polls and any(one.method != "GET" for one in ones):
            return last
        last = ones[-1] if is_polls else last
    return last


def polled(group: Group, k: int, matching: Matching) -> list[bytes]:
    """What the last poll of each stretch got."""
    cursor, ends = Library([group.tape], matching).session("x"), []
    for is_polls, ones in stretches(group):
        if is_polls:
            ends.append([got(cursor, ones[0]).body for _ in range(k)][-1])
        else:
            for one in ones:
                got(cursor, one)
    assert cursor.misses.count == 0
    return ends


def test_there_are_groups_of_up_to_forty(corpora: object) -> None:
    found = groups()
    assert (len(found), max(group.times for group in found)) == (37, 40)


def test_every_client_that_polls_long_enough_ends_in_the_recorded_state(corpora: object) -> None:
    tried = 0
    for group in groups():
        parts = [part for part, (is_polls, _) in enumerate(stretches(group)) if is_polls]
        for k in range(1, 2 * group.times + 1):
            ends = polled(group, k, Matching())
            tried += 1
            if k >= group.times:
                assert ends == [last_before_a_write(group, part).body for part in parts]
    assert tried > 600


@pytest.mark.parametrize("polls", ["recorded", "collapse"])
def test_a_client_that_polls_until_the_run_has_ended_gets_there(corpora: object, polls: str) -> None:
    """With k polls before each write, and as many as it takes at the end, at most those that were recorded."""
    ended = 0
    for group in groups():
        final = group.tape.interactions[
            -1 - [one.target for one in reversed(group.tape.interactions)].index(group.target)
        ]
        if status(final) not in TERMINAL:
            continue
        for k in range(1, 2 * group.times + 1):
            cursor = Library([group.tape], Matching(polls="collapse" if polls == "collapse" else "recorded")).session(
                "x"
            )
            replay(cursor, group, k)
            assert (until_ended(cursor, final, group.times).body, cursor.misses.count) == (final.body, 0)
            ended += 1
    assert ended > 400


def replay(cursor: Cursor, group: Group, k: int) -> None:
    for is_polls, ones in stretches(group):
        for one in [ones[0]] * k if is_polls else ones:
            got(cursor, one)


def until_ended(cursor: Cursor, poll: Interaction, times: int) -> Interaction:
    found = [got(cursor, poll) for _ in range(times)]
    assert all(status(later) in TERMINAL for one, later in pairwise(found) if status(one) in TERMINAL)
    return found[-1]


def status(one: Interaction) -> object:
    found = json.loads(one.body)
    return found.get("status") if isinstance(found, dict) else None
