import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.model import interaction
from support.tapes import JSON, STREAM, request, resealed, taken, tape
from wiretape.cassette.bindings import Bindings
from wiretape.cassette.format import Header, Interaction, Tape, frames_of
from wiretape.cassette.ids import find
from wiretape.cassette.match import Cursor, Library, Matching, Miss
from wiretape.cassette.pace import fits

A, B = "thread_aaaaaaaaaaaaaaaaaaaaaaa1", "thread_bbbbbbbbbbbbbbbbbbbbbbb2"
ENV, OTHER = "asst_recordedintheenvironment1", "asst_ofthisclientsenvironment22"
FRESH = Matching(fresh_ids=True)


class Ids:
    """The ids of a library in which no request names any."""

    def __init__(self, introduced: dict[str, str]) -> None:
        self.introduced = introduced

    def names(self, identity: str) -> bool:
        return identity in self.introduced


def library(matching: Matching | None = None, *more: Interaction) -> Library:
    """Two threads are made by equal requests; both run with an assistant that came from outside."""
    ones = [
        interaction(1, "POST", "/v1/threads", {}, {"id": A}),
        interaction(2, "POST", "/v1/threads", {}, {"id": B}),
        interaction(3, "POST", f"/v1/threads/{A}/runs", {"assistant_id": ENV}, {"thread_id": A, "assistant_id": ENV}),
        interaction(4, "POST", f"/v1/threads/{B}/runs", {"assistant_id": ENV}, {"thread_id": B, "assistant_id": ENV}),
        interaction(5, "GET", f"/v1/threads/{A}/messages?after={B}", None, {"data": [f"see {A}"]}),
        *more,
    ]
    return Library([resealed(Tape(header=Header(), interactions=tuple(ones)))], matching)


def ask(cursor: Cursor, method: str, target: str, body: object = None) -> Interaction | Miss:
    found = cursor.find(request(method, target, JSON), b"" if body is None else json.dumps(body).encode())
    return found if isinstance(found, Miss) else cursor.render(found)


def answer(cursor: Cursor, method: str, target: str, body: object = None) -> str:
    found = ask(cursor, method, target, body)
    assert isinstance(found, Interaction)
    return found.body.decode()


def test_the_recorded_ids_are_given_by_default() -> None:
    cursor = library().session("x")
    assert answer(cursor, "POST", "/v1/threads", {}) == json.dumps({"id": A})
    assert A in answer(cursor, "POST", f"/v1/threads/{A}/runs", {"assistant_id": ENV})


def test_an_id_that_no_response_introduced_binds_on_first_use_and_is_echoed() -> None:
    cursor = library().session("x")
    assert f'"{OTHER}"' in answer(cursor, "POST", f"/v1/threads/{A}/runs", {"assistant_id": OTHER})
    assert f'"{OTHER}"' in answer(cursor, "POST", f"/v1/threads/{B}/runs", {"assistant_id": OTHER})


def test_ids_are_bound_one_to_one() -> None:
    cursor = library().session("x")
    answer(cursor, "POST", f"/v1/threads/{A}/runs", {"assistant_id": OTHER})
    for taken_already in (ENV, "asst_yetanotherassistantofmine3"):
        assert isinstance(ask(cursor, "POST", f"/v1/threads/{B}/runs", {"assistant_id": taken_already}), Miss)


def test_an_id_that_a_response_introduced_never_binds_to_another() -> None:
    cursor = library().session("x")
    assert isinstance(ask(cursor, "POST", "/v1/threads/thread_notofthisrecording3/runs", {"assistant_id": ENV}), Miss)


def test_a_recorded_id_never_stands_for_another_recorded_one() -> None:
    """Both come from outside; used the other way round they would fit as well as they are."""
    twice = [
        interaction(
            6, "POST", "/v1/threads/runs", {"assistant_id": "asst_one111", "n": 1}, {"thread_id": "thread_x1x1x1"}
        ),
        interaction(
            7, "POST", "/v1/threads/runs", {"assistant_id": "asst_two222", "n": 1}, {"thread_id": "thread_y2y2y2"}
        ),
    ]
    cursor = library(None, *twice).session("x")
    assert "thread_y2y2y2" in answer(cursor, "POST", "/v1/threads/runs", {"assistant_id": "asst_two222", "n": 1})
    assert "thread_x1x1x1" in answer(cursor, "POST", "/v1/threads/runs", {"assistant_id": "asst_new333", "n": 1})


def test_two_ids_of_one_request_never_bind_to_one() -> None:
    pair = interaction(6, "POST", "/v1/vs", {"a": "file_one111", "b": "file_two222"}, {"ok": 1})
    assert isinstance(
        ask(library(None, pair).session("x"), "POST", "/v1/vs", {"a": "file_x1x1x1", "b": "file_x1x1x1"}), Miss
    )
    same = interaction(6, "POST", "/v1/vs", {"a": "file_one111", "b": "file_one111"}, {"ok": 1})
    assert isinstance(
        ask(library(None, same).session("x"), "POST", "/v1/vs", {"a": "file_x1x1x1", "b": "file_y2y2y2"}), Miss
    )
    assert "ok" in answer(library(None, same).session("x"), "POST", "/v1/vs", {"a": "file_x1x1x1", "b": "file_x1x1x1"})


def test_an_id_of_the_path_binds_on_first_use() -> None:
    reads = [
        interaction(6, "GET", "/v1/files/file_recorded1/content", None, {"id": "file_recorded1"}),
        interaction(7, "GET", f"/v1/threads/{A}/messages/msg_recorded1", None, {"id": "msg_recorded1"}),
    ]
    cursor = library(None, *reads).session("x")
    assert answer(cursor, "GET", "/v1/files/file_mine22222/content") == '{"id": "file_mine22222"}'
    for method, target in (("POST", "/v1/threads"), ("POST", "/v1/threads")):
        answer(cursor, method, target, {})
    for thread in (A, B):
        answer(cursor, "POST", f"/v1/threads/{thread}/runs", {"assistant_id": ENV})
    assert isinstance(ask(cursor, "GET", f"/v1/threads/{B}/messages/msg_mine22"), Miss)
    assert "msg_mine22" in answer(cursor, "GET", f"/v1/threads/{A}/messages/msg_mine22")


@pytest.mark.parametrize("name", ["x", "another"])
def test_fresh_ids_are_new_for_each_session_of_the_same_length_and_the_same_on_every_run(name: str) -> None:
    first, again, other = (library(FRESH).session(one) for one in (name, name, "third"))
    made = [json.loads(answer(cursor, "POST", "/v1/threads", {}))["id"] for cursor in (first, again, other)]
    assert made[0] == made[1] != made[2]
    assert A not in made
    assert [len(one) for one in made] == [len(A)] * 3
    assert [find(one) for one in made] == [[one] for one in made]


def conversation(cursor: Cursor) -> str:
    made = [json.loads(answer(cursor, "POST", "/v1/threads", {}))["id"] for _ in range(2)]
    runs = [answer(cursor, "POST", f"/v1/threads/{thread}/runs", {"assistant_id": ENV}) for thread in made]
    return json.dumps([*made, *runs, answer(cursor, "GET", f"/v1/threads/{made[0]}/messages?after={made[1]}")])


def test_fresh_ids_come_back_in_paths_queries_values_and_text() -> None:
    got = conversation(library(FRESH).session("x"))
    assert not {A, B} & set(find(got))
    assert ENV in got


def test_thread_a_is_never_given_thread_bs_answer() -> None:
    cursor = library(FRESH).session("x")
    made = [json.loads(answer(cursor, "POST", "/v1/threads", {}))["id"] for _ in range(2)]
    for thread in reversed(made):
        got = json.loads(answer(cursor, "POST", f"/v1/threads/{thread}/runs", {"assistant_id": ENV}))
        assert got["thread_id"] == thread
    assert isinstance(ask(cursor, "GET", f"/v1/threads/{made[1]}/messages?after={made[0]}"), Miss)


def test_with_fresh_ids_the_recorded_one_is_nobodys_once_it_was_given_out() -> None:
    cursor = library(FRESH).session("x")
    answer(cursor, "POST", "/v1/threads", {})
    assert isinstance(ask(cursor, "POST", f"/v1/threads/{A}/runs", {"assistant_id": ENV}), Miss)


FRAMES = [
    b'event: thread.run.created\ndata: {"id":"run_abc123","thread_id":"%b"}\n\n' % A.encode(),
    b"data: [DONE]\n\n",
]


def streamed(asked: bytes, target: str = "/v1/threads/runs") -> Tape:
    lines = taken(request("POST", target, JSON), asked, headers=(*STREAM, (b"Location", b"/v1/threads/" + A.encode())),
                  chunks=[FRAMES[0][:30], FRAMES[0][30:] + FRAMES[1]])  # fmt: skip
    return resealed(tape(lines))


def test_fresh_ids_stand_in_streams_and_headers_and_change_no_border() -> None:
    content = streamed(b'{"stream":true}')
    cursor = Library([content], FRESH).session("x")
    got = ask(cursor, "POST", "/v1/threads/runs", {"stream": True})
    assert isinstance(got, Interaction)
    (recorded,) = content.interactions
    assert (got.chunks, got.frames, len(got.body)) == (recorded.chunks, recorded.frames, len(recorded.body))
    new = next(one for one in find(got.body.decode()) if one.startswith("thread_"))
    assert (b"Location", f"/v1/threads/{new}".encode()) in got.headers
    assert A not in str(got)


@pytest.mark.parametrize("mine", ["asst_ab1234", "asst_" + "long1" * 12])
def test_an_id_of_another_length_moves_the_borders_of_pieces_and_frames(mine: str) -> None:
    said = b'data: {"assistant_id":"%b"}\n\n' % ENV.encode()
    lines = taken(
        request("POST", "/v1/x", JSON),
        b'{"a":"%b"}' % ENV.encode(),
        headers=STREAM,
        chunks=[said[:9], said[9:] + b"data: 1\n\n"],
    )
    cursor = Library([resealed(tape(lines))]).session("x")
    got = ask(cursor, "POST", "/v1/x", {"a": mine})
    assert isinstance(got, Interaction)
    assert list(frames_of(got)) == [said.replace(ENV.encode(), mine.encode()), b"data: 1\n\n"]
    assert fits(got)


def test_fresh_ids_come_back_in_a_multipart_body() -> None:
    def body(identity: str, boundary: str) -> bytes:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="id"\r\n\r\n{identity}\r\n--{boundary}--\r\n'
        return head.encode()

    def headers(boundary: str) -> tuple[tuple[bytes, bytes], ...]:
        return ((b"Content-Type", f"multipart/form-data; boundary={boundary}".encode()),)

    made = interaction(1, "POST", "/v1/uploads", {}, {"id": "upload_abc123"})
    lines = taken(request("POST", "/v1/parts", headers("one")), body("upload_abc123", "one"), chunks=[b"hit"], index=2)
    content = Tape(header=Header(), interactions=(made, *tape(lines).interactions))
    cursor = Library([content], FRESH).session("x")
    identity = json.loads(answer(cursor, "POST", "/v1/uploads", {}))["id"]
    found = cursor.find(request("POST", "/v1/parts", headers("two")), body(identity, "two"))
    assert isinstance(found, Interaction)
    assert identity != "upload_abc123"


def test_an_id_so_short_that_every_new_one_is_taken_is_kept() -> None:
    ids = Bindings(Ids({"run_1": "run#1"}), "x", fresh=True)
    ids.bind({f"run_{digit}": f"run_other{digit}" for digit in range(10)})
    assert ids.client("run_1") == "run_1"


def test_shapes_of_ids_are_kept() -> None:
    ids = Bindings(Ids({}), "x", fresh=True)
    for recorded in (
        "vs_0123456789abcdef0123456789abcdef",
        "thread_0b7c2a52-5be4-4bb0-9a3e-6f7e9a1c2d3e",
        "file-AbC123xyz",
    ):
        made = ids.client(recorded)
        assert made != recorded
        assert find(made) == [made]
        assert [char.isdigit() for char in made] == [char.isdigit() for char in recorded]
        assert ids.recorded(made) == recorded


identities = st.sampled_from(["thread_a1a1a1", "thread_b2b2b2", "thread_c3c3c3", "thread_d4d4d4"])


@given(st.lists(st.tuples(st.lists(identities, max_size=3), st.lists(identities, max_size=3)), max_size=8))
def test_whatever_binds_the_binding_is_one_to_one(tried: Sequence[tuple[list[str], list[str]]]) -> None:
    ids, bound = Bindings(Ids({}), "x"), dict[str, str]()
    for clients, recorded in tried:
        size = min(len(clients), len(recorded))
        pairs = ids.bound(clients[:size], recorded[:size])
        if pairs is not None:
            ids.bind(pairs)
            bound |= pairs
            assert list(map(ids.recorded, clients[:size])) == recorded[:size]
        assert len(set(bound.values())) == len(bound)
        assert all(ids.recorded(client) == one and ids.client(one) == client for client, one in bound.items())


def test_a_miss_tells_what_the_session_calls_an_id_that_is_given_out() -> None:
    made = interaction(6, "POST", "/v1/assistants", {}, {"id": "asst_listed1"})
    used = interaction(7, "POST", "/v1/threads/runs", {"assistant_id": "asst_listed1"}, {})
    cursor = library(FRESH, made, used).session("x")
    mine = json.loads(answer(cursor, "POST", "/v1/assistants", {}))["id"]
    found = ask(cursor, "POST", "/v1/threads/runs", {"assistant_id": "asst_listed1"})
    assert isinstance(found, Miss)
    assert f'recorded "asst_listed1", asked "asst_listed1(here {mine})"' in found.message
