import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.tapes import HEADER, JSON, STREAM, only, request, resealed, sealed, taken, tape
from wiretape.cassette.format import Ended, Interaction, Tape, frames_of, may_stand
from wiretape.exchange import Headers, How

THREAD = b'{\n  "id": "thread_abc123",\n  "object": "thread"\n}'
RUN = (
    b'event: thread.run.created\ndata: {"id":"run_abc123","thread_id":"thread_abc123"}\n\nevent: done\ndata: [DONE]\n\n'
)

bodies = st.sampled_from([THREAD, RUN, b"", b"\xff\xfe", b"{{thread#1}} thread_zzz999"]) | st.binary(max_size=60)
targets = st.sampled_from(["/v1/threads", "/v1/threads/thread_abc123/runs?x=%7B%7B", "/{{{{", "/é"])
headers = st.lists(
    st.tuples(
        st.sampled_from([b"X-A", b"x-a", b"Content-Type"]), st.sampled_from([b"", b"{{thread#1}}", b"\xe9", b"a,b"])
    )
).map(tuple)


@st.composite
def interactions(draw: st.DrawFn, index: int) -> Interaction:
    body = draw(bodies)
    cut = draw(st.integers(0, len(body)))
    status = draw(st.sampled_from([None, 200, 404]))
    answered = body if status else b""
    frames = tuple(size for size in (cut, len(body) - cut) if size) if status and draw(st.booleans()) else ()
    return Interaction(
        index=index,
        session=draw(st.sampled_from(["default", "other"])),
        method=draw(st.sampled_from(["GET", "POST"])),
        target=draw(targets),
        request_headers=draw(headers),
        request_body=draw(bodies),
        request_enc=draw(st.sampled_from([None, "gzip"])),
        status=status,
        headers=draw(headers) if status else (),
        body=answered,
        enc=draw(st.sampled_from([None, "gzip"])) if status else None,
        frames=frames,
        how=draw(st.sampled_from(Ended)),
        t0_ms=draw(st.integers(0, 1 << 40)),
        chunks=tuple(draw(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 99)), max_size=3))),
        times_known=draw(st.booleans()),
    )


tapes = st.integers(0, 4).flatmap(
    lambda size: st.tuples(*(interactions(index) for index in range(1, size + 1))).map(
        lambda drawn: Tape(header=HEADER, interactions=drawn)
    )
)


@given(tapes)
def test_a_tape_that_is_rendered_and_read_is_the_same_tape(content: Tape) -> None:
    assert replace(resealed(content), ids={}) == content


@given(tapes)
def test_sealing_again_gives_the_same_bytes(content: Tape) -> None:
    assert sealed(resealed(content)) == sealed(content)


@given(tapes.flatmap(lambda content: st.permutations(content.interactions).map(lambda drawn: (content, drawn))))
def test_the_order_in_which_interactions_are_given_does_not_matter(both: tuple[Tape, list[Interaction]]) -> None:
    content, shuffled = both
    assert sealed(replace(content, interactions=tuple(shuffled))) == sealed(content)


def test_interactions_are_numbered_from_one_in_request_order() -> None:
    content = tape(taken(request(), index=7), taken(request(at_ms=5), index=3))
    assert [(one.index, one.t0_ms) for one in resealed(content).interactions] == [(1, 5), (2, 0)]


FIRST_LINE = (
    '{"k":"tape","v":1,"by":"wiretape test","recorded":"2026-11-23T03:00:00Z","upstream":"https://api.example.com",'
    '"ids":{"thread#1":"thread_abc123","run#1":"run_abc123"}}'
)
RESPONSE_LINE = (
    '{"k":"res","i":1,"s":200,"h":[["Content-Type","application/json"],["openai-processing-ms","12"]],'
    '"json":{"id":"{{thread#1}}","object":"thread"},"style":"indent2"}'
)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def test_a_sealed_file_reads_as_designed() -> None:
    made = taken(request("POST"), b'{"a": 1}', chunks=[THREAD], headers=(*JSON, (b"openai-processing-ms", b"12")))
    ran = taken(
        request("POST", "/v1/threads/thread_abc123/runs", at_ms=40),
        headers=STREAM,
        chunks=[RUN[:60], RUN[60:]],
        index=2,
    )
    assert sealed(tape(made, ran)).decode().splitlines() == [
        FIRST_LINE,
        '{"k":"req","i":1,"ss":"default","m":"POST","u":"/v1/threads","h":[],"json":{"a":1},"style":"python"}',
        RESPONSE_LINE,
        f'{{"k":"end","i":1,"how":"complete","n":49,"sha":"{sha(THREAD)}","t0":0,"ch":[[10,49]]}}',
        '{"k":"req","i":2,"ss":"default","m":"POST","u":"/v1/threads/{{thread#1}}/runs","h":[]}',
        '{"k":"res","i":2,"s":200,"h":[["Content-Type","text/event-stream; charset=utf-8"]]}',
        '{"k":"ev","i":2,"e":"thread.run.created","d":{"id":"{{run#1}}","thread_id":"{{thread#1}}"}}',
        '{"k":"ev","i":2,"e":"done","d":"[DONE]"}',
        f'{{"k":"end","i":2,"how":"complete","n":107,"sha":"{sha(RUN)}","t0":40,"ch":[[10,60],[10,47]]}}',
    ]


def test_the_same_conversation_with_other_ids_changes_the_id_table_and_the_ends_alone() -> None:
    other = THREAD.replace(b"abc123", b"xyz789"), RUN.replace(b"abc123", b"xyz789")
    first = tape(taken(request("POST"), chunks=[THREAD]), taken(request("POST"), headers=STREAM, chunks=[RUN], index=2))
    again = tape(
        taken(request("POST"), chunks=[other[0]]), taken(request("POST"), headers=STREAM, chunks=[other[1]], index=2)
    )
    lines = zip(sealed(first).splitlines(), sealed(again).splitlines(), strict=True)
    assert [old[:11] for old, new in lines if old != new] == [b'{"k":"tape"', b'{"k":"end",', b'{"k":"end",']


@pytest.mark.parametrize(
    ("method", "status", "how", "recorded", "served"),
    [
        ("GET", 200, Ended.COMPLETE, JSON, (*JSON, (b"Content-Length", b"4"))),
        ("GET", 200, Ended.COMPLETE, ((b"content-length", b"9"),), ((b"Content-Length", b"4"),)),
        ("GET", 200, Ended.UPSTREAM_FAILED, ((b"Content-Length", b"9"),), ()),
        ("GET", 200, Ended.CLIENT_LEFT, JSON, JSON),
        ("GET", 200, Ended.COMPLETE, STREAM, STREAM),
        ("HEAD", 200, Ended.COMPLETE, ((b"Content-Length", b"9"),), ((b"Content-Length", b"9"),)),
        ("HEAD", 200, Ended.COMPLETE, ((b"Content-Length", b"-9"),), ()),
        ("GET", 304, Ended.COMPLETE, (), ()),
        ("GET", 200, Ended.CLIENT_LEFT, ((b"Set-Cookie", b"a"), (b"Connection", b"x-a"), (b"X-A", b"1")), ()),
        ("GET", 200, Ended.CLIENT_LEFT, ((b"Transfer-Encoding", b"chunked"), (b"Date", b"x")), ((b"Date", b"x"),)),
    ],
)
def test_framing_is_written_anew_and_cookies_are_left_out(
    method: str, status: int, how: Ended, recorded: Headers, served: Headers
) -> None:
    one = Interaction(index=1, method=method, target="/", status=status, headers=recorded, body=b"body", how=how)
    assert one.served_headers == served


@pytest.mark.parametrize(("how", "playable"), [(How.COMPLETE, True), (How.CLIENT_LEFT, True), (How.CANCELLED, False)])
def test_what_the_recorder_cut_is_not_playable(how: How, playable: bool) -> None:
    assert only(tape(taken(request(), how=how))).playable is playable


def test_what_got_no_head_is_not_playable() -> None:
    assert not Interaction(index=1, method="GET", target="/", how=Ended.COMPLETE).playable


def test_frames_are_the_body_cut_at_their_borders() -> None:
    one = only(tape(taken(request(), headers=STREAM, chunks=[RUN])))
    assert list(frames_of(one)) == [RUN[:81], RUN[81:]]


@pytest.mark.parametrize(
    ("name", "value", "may"),
    [
        (b"X-A", b"\xe9 \t", True),
        (b"", b"", False),
        (b"X A", b"", False),
        (b"X", b"a\r\nB: c", False),
        (b"X", b"\0", False),
    ],
)
def test_only_what_a_header_may_hold_may_stand(name: bytes, value: bytes, may: bool) -> None:
    assert may_stand(name, value) is may
