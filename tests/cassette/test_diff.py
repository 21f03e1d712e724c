import json

import pytest

from support.golden import FOLDER
from support.tapes import JSON, STREAM, request, resealed, taken, tape
from wiretape.cassette.diff import Diff, diff
from wiretape.cassette.format import Tape
from wiretape.cassette.said import said
from wiretape.edge.store import load
from wiretape.exchange import How


def thread(identity: str, created_at: int = 1, extra: str = "") -> bytes:
    return f'{{"id":"{identity}","object":"thread","created_at":{created_at}{extra}}}'.encode()


def changes(first: Tape, second: Tape) -> list[tuple[str, str, str]]:
    return [(one.where, one.first, one.second) for pair in diff(first, second).changed for one in pair.changes]


def frame(event: str, **data: object) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def delta(text: str, **more: object) -> bytes:
    return frame("thread.message.delta", delta={"content": [{"index": 0, "text": {"value": text}}]}, **more)


def streamed(*frames: bytes) -> Tape:
    return tape(taken(request("POST", "/r"), headers=STREAM, chunks=frames))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.tape.jsonl")), ids=lambda path: path.name.partition(".")[0])
def test_a_cassette_says_what_it_says(path: object) -> None:
    one = load(path)  # type: ignore[arg-type]
    assert diff(one, one).is_empty


def test_ids_times_and_request_ids_do_not_count() -> None:
    def recorded(thread_id: str, run_id: str, at: int) -> Tape:
        headers = (
            *JSON,
            (b"x-request-id", run_id.encode()),
            (b"Date", b"%d" % at),
            (b"x-ratelimit-limit-tokens", b"1"),
        )
        return resealed(
            tape(
                taken(request("POST"), b"{}", headers=headers, chunks=[thread(thread_id, at)]),
                taken(
                    request("POST", f"/v1/threads/{thread_id}/runs", at_ms=at), b'{"a":1}', index=2,
                    chunks=[f'{{"id":"{run_id}","expires_at":null,"started_at":"{at}","request_id":"{at}"}}'.encode()],
                ),
            )
        )  # fmt: skip

    assert diff(recorded("thread_abc123", "run_abc123", 1), recorded("thread_xyz789", "run_xyz789", 999)).is_empty


def test_an_id_in_another_place_is_another_meaning() -> None:
    def recorded(named: str) -> Tape:
        made = [taken(request("POST"), chunks=[thread(f"thread_abc12{at}")], index=at) for at in (1, 2)]
        return tape(*made, taken(request("DELETE", f"/v1/threads/{named}"), index=3))

    found = diff(recorded("thread_abc121"), recorded("thread_abc122"))
    assert [one.label for one in found.only_first] == ["DELETE /v1/threads/{{thread#1}}"]
    assert [(one.label, one.index) for one in found.only_second] == [("DELETE /v1/threads/{{thread#2}}", 3)]
    assert not found.is_empty


def test_what_differs_is_told_by_path_with_both_values() -> None:
    first = tape(taken(request("POST"), b'{"a":[1,{"b":"x"}]}', chunks=[thread("thread_abc123", extra=',"n":null')]))
    second = tape(
        taken(request("POST"), b'{"a":[1,{"b":"y"},2]}', 201, chunks=[thread("thread_abc123", extra=',"m":1')])
    )
    assert changes(first, second) == [
        ("request.a[1].b", '"x"', '"y"'),
        ("request.a[2]", "nothing", "2"),
        ("status", "200", "201"),
        ("answer.n", "null", "nothing"),
        ("answer.m", "nothing", "1"),
    ]


def test_an_event_of_another_name_is_told_by_its_name_alone() -> None:
    assert changes(streamed(frame("a", x=1)), streamed(frame("b", y=2))) == [("answer[0].event", '"a"', '"b"')]


def test_how_a_text_was_cut_does_not_count_but_the_text_does() -> None:
    said_, again = streamed(delta("Hel"), delta("lo")), streamed(delta("H"), delta("ell"), delta("o"))
    assert diff(said_, again).is_empty
    assert changes(said_, streamed(delta("Hello!"))) == [("answer[0].texts.value/0", '"Hello"', '"Hello!"')]
    assert changes(said_, streamed(delta("Hello", x=1))) == [("answer[0].data[0].x", "nothing", "1")]


def test_keep_alives_and_endings() -> None:
    torn = tape(taken(request("POST", "/r"), headers=STREAM, chunks=[b": x\n\n", frame("a")], how=How.UPSTREAM_FAILED))
    assert changes(streamed(frame("a")), torn) == [("how", '"complete"', '"upstream_failed"')]


def test_reads_that_follow_each_other_are_one() -> None:
    def polled(*statuses: str) -> Tape:
        return tape(
            *(taken(request("GET", "/r"), chunks=[one.encode()], index=at) for at, one in enumerate(statuses, 1))
        )

    assert diff(polled("queued", "done"), polled("queued", "queued", "running", "done")) == Diff(1, (), (), ())
    posts = [taken(request("POST", "/r"), index=at) for at in (1, 2)]
    assert len(said(tape(*posts))) == 2


def test_secrets_are_one_whatever_their_number() -> None:
    one, other = (tape(taken(request("POST"), b"{{secret:key#%d}}" % number)) for number in (1, 2))
    assert diff(one, other).is_empty


def test_what_is_no_json_is_compared_as_text_and_long_values_are_cut() -> None:
    ((where, first, second),) = changes(tape(taken(request(), b"a" * 99)), tape(taken(request(), b"\xff")))
    assert (where, first, second) == ("request", '"' + "a" * 78 + "…", '"\\\\xff"')


def test_json_nested_very_deep_is_compared_all_the_same() -> None:
    deep = [tape(taken(request(), b"[" * 500 + text + b"]" * 500)) for text in (b"1", b"2")]
    assert diff(deep[0], deep[0]).is_empty
    assert len(changes(*deep)) == 1


def test_a_field_without_a_time_in_it_is_no_time() -> None:
    assert changes(
        tape(taken(request(), chunks=[b'{"created_at":true,"created":{"a":1}}'])),
        tape(taken(request(), chunks=[b'{"created_at":false,"created":{"a":2}}'])),
    ) == [("answer.created_at", "true", "false"), ("answer.created.a", "1", "2")]


def test_an_answer_without_a_media_type_has_none_to_compare() -> None:
    one = tape(taken(request(), headers=((b"X-A", b"1"), (b"x-a", b"2")), chunks=[b"{}"]))
    assert changes(one, tape(taken(request(), headers=(), chunks=[b"{}"]))) == [
        ("headers.x-a", '["1", "2"]', "nothing")
    ]
