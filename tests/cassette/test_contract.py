"""The determinism contract, as far as it is matching's: one test for each clause."""

import json
import random
from collections.abc import Sequence

import pytest

from support.golden import FOLDER
from support.model import interaction, made
from support.tapes import JSON, request
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.match import Cursor, Library, Matching, Miss
from wiretape.cassette.reader import read

SESSIONS = 64
NAMES = sorted(path.name.removesuffix(".tape.jsonl") for path in FOLDER.glob("*.tape.jsonl"))
Answer = tuple[int | None, tuple[tuple[bytes, bytes], ...], bytes, Ended] | None


def golden() -> list[Tape]:
    return [read((FOLDER / f"{name}.tape.jsonl").read_bytes(), name) for name in NAMES]


def ask(cursor: Cursor, one: Interaction) -> Answer:
    found = cursor.find(request(one.method, one.target, one.request_headers), one.request_body)
    if isinstance(found, Miss):
        return None
    got = cursor.render(found)
    return got.status, got.served_headers, got.body, got.how


def talks(chance: random.Random) -> list[list[Interaction]]:
    """What each session asks: one of the recorded conversations, a little out of order, some of it twice."""
    tapes = golden()
    asked = [list(chance.choice(tapes).interactions) for _ in range(SESSIONS)]
    for ones in asked:
        for _ in range(3):
            place = chance.randrange(len(ones))
            ones.insert(chance.randrange(len(ones)), ones[place])
    return asked


@pytest.mark.parametrize("fresh_ids", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_64_sessions_in_random_order_get_the_bytes_that_each_gets_alone(seed: int, fresh_ids: bool) -> None:
    chance = random.Random(seed)  # noqa: S311  chance for tests
    asked = talks(chance)
    together = Library(golden(), Matching(fresh_ids=fresh_ids))
    cursors = [together.session(f"s{number}") for number in range(SESSIONS)]
    got: list[list[Answer]] = [[] for _ in asked]
    turns = [number for number, ones in enumerate(asked) for _ in ones]
    chance.shuffle(turns)
    for number in turns:
        got[number].append(ask(cursors[number], asked[number][len(got[number])]))
    for number, ones in enumerate(asked):
        alone = Library(golden(), Matching(fresh_ids=fresh_ids)).session(f"s{number}")
        assert got[number] == [ask(alone, one) for one in ones]
    assert sum(answer is not None for answers in got for answer in answers) > 200


@pytest.mark.parametrize("name", NAMES)
def test_the_same_requests_in_the_same_order_get_the_recorded_answers(name: str) -> None:
    (tape,) = [one for one, named in zip(golden(), NAMES, strict=True) if named == name]
    cursor = Library([tape]).session("x")
    recorded = [(one.status, one.served_headers, one.body, one.how) for one in tape.interactions]
    assert [ask(cursor, one) for one in tape.interactions] == recorded
    assert cursor.unplayed() == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_requests_get_the_same_fresh_ids_on_every_run(name: str) -> None:
    (tape,) = [one for one, named in zip(golden(), NAMES, strict=True) if named == name]
    runs = [conversation(Library([tape], Matching(fresh_ids=True)).session("x"), tape.interactions) for _ in range(2)]
    assert runs[0] == runs[1]
    assert None not in runs[0]
    assert [len(body or b"") for body in runs[0]] == [len(one.body) for one in tape.interactions]
    assert not set(tape.ids.values()) & {one for body in runs[0] for one in (body or b"").decode().split('"')}


def conversation(cursor: Cursor, ones: Sequence[Interaction]) -> list[bytes | None]:
    """What a client gets that uses the ids it is given."""
    given: dict[bytes, bytes] = {}
    got: list[bytes | None] = []
    for one in ones:
        target, body = one.target.encode(), one.request_body
        for recorded, mine in given.items():
            target, body = target.replace(recorded, mine), body.replace(recorded, mine)
        found = cursor.find(request(one.method, target.decode(), one.request_headers), body)
        answer = None if isinstance(found, Miss) else cursor.render(found).body
        words = zip(one.body.split(b'"'), (answer or b"").split(b'"'), strict=True)
        given |= {recorded: mine for recorded, mine in words if recorded != mine}
        got.append(answer)
    return got


def test_a_stretch_without_a_recorded_read_has_no_answer_before_or_after() -> None:
    """A read neither sees past a write that was not made, nor goes back behind one that was."""
    thread = f"/v1/threads/{made('thread', 'a')}"
    tape = Tape(header=Header(), interactions=(
        interaction(1, "GET", thread, None, {"n": 0}),
        interaction(2, "POST", f"{thread}/messages", {"n": 1}, {}),
        interaction(3, "POST", thread, {"n": 2}, {}),
        interaction(4, "GET", thread, None, {"n": 2}),
    ))  # fmt: skip
    cursor = Library([tape]).session("x")
    told = []
    for one in (tape.interactions[0], *tape.interactions[1:]):
        ask(cursor, one)
        found = cursor.find(request("GET", thread), b"")
        told.append(found.message if isinstance(found, Miss) else json.loads(found.body))
    assert (told[0], told[2], told[3]) == ({"n": 0}, {"n": 2}, {"n": 2})
    assert f"recorded 2 times, but after #3 POST {thread}, which this session has not made." in str(told[1])


def test_a_read_that_was_only_recorded_before_a_write_says_so() -> None:
    tape = Tape(header=Header(), interactions=(
        interaction(1, "GET", "/v1/files/file_abc123", None, {"n": 0}),
        interaction(2, "DELETE", "/v1/files/file_abc123", None, {}),
    ))  # fmt: skip
    cursor = Library([tape]).session("x")
    ask(cursor, tape.interactions[1])
    assert ask(cursor, tape.interactions[0]) is None
    (miss,) = cursor.misses
    assert "recorded once, but before #2 DELETE /v1/files/file_abc123, which this session has made." in miss.message


def test_order_is_kept_within_a_recording_session_and_its_own_name_comes_first() -> None:
    ones = [
        interaction(1, "POST", "/v1/threads", {}, {"of": "a"}, "a"),
        interaction(2, "POST", "/v1/threads", {}, {"of": "b"}, "b"),
        interaction(3, "GET", "/v1/threads", None, {"of": "a"}, "a"),
        interaction(4, "GET", "/v1/threads", None, {"of": "b"}, "b"),
    ]
    library = Library([Tape(header=Header(), interactions=tuple(ones))])
    for name, expected in (("a", "aab"), ("b", "bba"), ("c", "aab")):
        cursor = library.session(name)
        got = [
            cursor.find(request(one.method, one.target, JSON), one.request_body) for one in (ones[0], ones[2], ones[0])
        ]
        assert "".join(json.loads(one.body)["of"] for one in got if isinstance(one, Interaction)) == expected


def test_extra_polls_repeat_the_last_answer_and_a_write_jumps_those_not_made() -> None:
    run = f"/v1/threads/{made('thread', 'a')}/runs/{made('run', 'r')}"
    states = ["queued", "in_progress", "requires_action"]
    polls = [interaction(number, "GET", run, None, {"status": state}) for number, state in enumerate(states, 1)]
    submit = interaction(4, "POST", f"{run}/submit_tool_outputs", {}, {})
    last = interaction(5, "GET", run, None, {"status": "completed"})
    tape = Tape(header=Header(), interactions=(*polls, submit, last))

    def seen(before: int, polling: Matching) -> list[str]:
        cursor = Library([tape], polling).session("x")
        asked = [polls[0]] * before + [submit] + [last] * 2
        got = [json.loads((ask(cursor, one) or (0, (), b"{}", ""))[2]).get("status", "-") for one in asked]
        assert cursor.unplayed() == []
        return got

    assert seen(1, Matching()) == ["queued", "-", "completed", "completed"]
    assert seen(5, Matching()) == [*states, states[-1], states[-1], "-", "completed", "completed"]
    assert seen(3, Matching(polls="collapse")) == ["queued", states[-1], states[-1], "-", "completed", "completed"]


def test_making_a_thread_with_a_run_covers_the_thread_that_its_answer_names() -> None:
    thread = made("thread", "a")
    tape = Tape(header=Header(), interactions=(
        interaction(1, "POST", "/v1/threads/runs", {}, {"thread_id": thread}),
        interaction(2, "GET", f"/v1/threads/{thread}/messages", None, {"data": []}),
    ))  # fmt: skip
    cursor = Library([tape]).session("x")
    assert ask(cursor, tape.interactions[1]) is None
    ask(cursor, tape.interactions[0])
    assert ask(cursor, tape.interactions[1]) is not None


def test_a_read_of_a_thread_is_never_older_than_the_one_before_it() -> None:
    """The messages were read before and after the run had ended; a client that has seen it end sees the answer."""
    thread = f"/v1/threads/{made('thread', 'a')}"
    run, messages = f"{thread}/runs/{made('run', 'r')}", f"{thread}/messages"
    tape = Tape(header=Header(), interactions=(
        interaction(1, "GET", messages, None, {"data": []}),
        interaction(2, "GET", run, None, {"status": "completed"}),
        interaction(3, "GET", messages, None, {"data": ["answer"]}),
    ))  # fmt: skip
    cursor = Library([tape]).session("x")
    ask(cursor, tape.interactions[1])
    assert (ask(cursor, tape.interactions[0]) or (0, (), b"", ""))[2] == b'{"data": ["answer"]}'
    assert cursor.unplayed() == []
