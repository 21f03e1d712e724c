import gzip
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, KEY, request, resealed, taken, tape
from wiretape.cassette.format import Interaction
from wiretape.cassette.match import Cursor, Library, Miss
from wiretape.cassette.secrets import Secrets
from wiretape.errors import BodyTooLarge
from wiretape.exchange import How, Request

THREADS = [
    taken(request("POST"), b'{"a":1}', chunks=[b'{"id":"thread_aaa111"}']),
    taken(request("GET", "/v1/runs/1"), chunks=[b"queued"], index=2),
    taken(request("POST"), b'{"a":1}', chunks=[b'{"id":"thread_bbb222"}'], index=3),
    taken(request("GET", "/v1/runs/1"), chunks=[b"completed"], index=4),
    taken(request("DELETE", "/v1/runs/1"), chunks=[b"deleted"], index=5, how=How.CANCELLED),
]
ASKED = [(request("POST"), b'{ "a": 1.0 }'), (request("GET", "/v1/runs/1"), b""), (request("PUT"), b"")]


def library() -> Library:
    return Library([resealed(tape(*THREADS))])


def bodies(cursor: Cursor, asked: Sequence[tuple[Request, bytes]]) -> list[bytes | None]:
    found = [cursor.find(*one) for one in asked]
    return [one.body if isinstance(one, Interaction) else None for one in found]


def test_equal_requests_are_answered_in_recorded_order() -> None:
    asked = [ASKED[0], ASKED[1], ASKED[1], ASKED[0]]
    expected = [b'{"id":"thread_aaa111"}', b"queued", b"completed", b'{"id":"thread_bbb222"}']
    assert bodies(library().session("x"), asked) == expected


def test_a_conversation_that_names_its_words_and_keys_in_odd_places_replays() -> None:
    shared = Secrets()
    opaque = b"Opaque-Value-123"
    bearer = ((b"Authorization", b"Bearer " + opaque), *JSON)
    cookie = (b"Cookie", b"step=completed; role=assistant")
    conversation = [
        (request("GET", "/config"), b""),
        (request("POST", "/assistants", (*JSON, cookie)), b'{"required":["a"]}'),
        (request("POST", "/words", ((b"Authorization", b"Bearer Assistant"), *JSON)), b'{"role":"assistant"}'),
        (request("GET", f"/a?key={opaque.decode()}"), b""),
        (request("POST", "/b", bearer), b'{"k":"' + opaque + b'"}'),
    ]
    answer = b'{"password":"required","status":"completed","role":"assistant"}'
    lines = [
        taken(asked, body, chunks=[answer], index=i, secrets=shared) for i, (asked, body) in enumerate(conversation)
    ]
    assert b'"status":"completed","role":"assistant"' in lines[-1][1]
    for first in range(len(conversation)):
        cursor = Library([tape(*lines)]).session("x")
        assert None not in bodies(cursor, conversation[first:])


def test_a_body_in_a_coding_that_cannot_be_undone_is_a_miss() -> None:
    headers = ((b"Content-Encoding", b"br"),)
    assert isinstance(library().session("x").find(request("POST", headers=headers), b"\xff"), Miss)


def test_after_the_last_a_read_repeats_it_and_a_write_misses() -> None:
    cursor = library().session("x")
    assert bodies(cursor, [ASKED[1]] * 4) == [b"queued", b"completed", b"completed", b"completed"]
    assert bodies(cursor, [ASKED[0]] * 3)[2] is None
    (miss,) = cursor.misses
    assert miss.times_recorded == 2
    assert "recorded 2 times, and all have been played already" in miss.message


def test_what_the_recorder_cut_is_never_served() -> None:
    assert isinstance(library().session("x").find(request("DELETE", "/v1/runs/1"), b""), Miss)


def test_the_unplayed_are_named_in_recorded_order() -> None:
    cursor = library().session("x")
    assert [one.index for one in cursor.unplayed()] == [1, 2, 3, 4]
    bodies(cursor, [ASKED[1], ASKED[0]])
    assert [one.index for one in cursor.unplayed()] == [3, 4]


def test_several_tapes_are_played_in_their_order() -> None:
    first, then = tape(taken(request(), chunks=[b"first"])), tape(taken(request(), chunks=[b"then"]))
    assert bodies(Library([first, then]).session("x"), [(request(), b"")] * 2) == [b"first", b"then"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(ASKED)), max_size=20))
def test_sessions_never_influence_each_other(steps: list[tuple[str, tuple[Request, bytes]]]) -> None:
    shared = library()
    cursors = {name: shared.session(name) for name in "abc"}
    together: dict[str, list[bytes | None]] = {name: [] for name in "abc"}
    for name, asked in steps:
        together[name] += bodies(cursors[name], [asked])
    for name in "abc":
        assert together[name] == bodies(library().session(name), [asked for by, asked in steps if by == name])


@pytest.mark.parametrize("recorded_key", [KEY, b"another-key-of-the-client"])
def test_another_key_in_replay_makes_no_miss(recorded_key: bytes) -> None:
    def asked(key: bytes) -> tuple[Request, bytes]:
        headers = ((b"Authorization", b"Bearer " + key), *JSON)
        return request("POST", f"/v1/x?key={key.decode()}", headers), b'{"mine":"' + key + b'","n":1}'

    recorded = tape(taken(*asked(recorded_key), chunks=[b"hit"]))
    assert bodies(Library([resealed(recorded)]).session("x"), [asked(b"dummy-key-in-replay")]) == [b"hit"]


def test_a_compressed_request_matches_what_it_says() -> None:
    packed = request("POST", headers=((b"Content-Encoding", b"gzip"),))
    assert bodies(library().session("x"), [(packed, gzip.compress(b'{"a":1}'))]) == [b'{"id":"thread_aaa111"}']


def test_a_request_that_unpacks_to_too_much_is_refused() -> None:
    packed = request("POST", headers=((b"Content-Encoding", b"gzip"),))
    with pytest.raises(BodyTooLarge):
        library().session("x").find(packed, gzip.compress(b"x" * ((64 << 20) + 1), 1))


def test_a_miss_tells_whether_it_names_an_id_that_was_replayed() -> None:
    cursor = library().session("x")
    named = request("GET", "/v1/threads/thread_aaa111")

    def replayed_id(asked: Request) -> str | None:
        found = cursor.find(asked, b"")
        assert isinstance(found, Miss)
        return found.replayed_id

    assert replayed_id(named) is None
    cursor.find(*ASKED[0])
    assert replayed_id(named) == "thread_aaa111"
    assert replayed_id(request("GET", "/v1/threads/thread_bbb222")) is None
    assert replayed_id(request("GET", "/v1/assistants")) is None
