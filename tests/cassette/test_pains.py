"""What users of other recorders suffer from, as far as it is matching's: each pain, and that it is none here.

The numbers are those of the issues in which it was told.
"""

import json
from collections.abc import Sequence

from support.model import interaction
from support.tapes import JSON, KEY, request, resealed, taken, tape
from wiretape.cassette.format import Header, Interaction, Tape
from wiretape.cassette.match import Cursor, Library, Matching, Miss
from wiretape.cassette.plan import Forward, Mode, Refuse, plan
from wiretape.cassette.rules import Rules
from wiretape.exchange import Headers

THREAD, RUN = "thread_abcdefghijklmnopqrstuvw1", "run_abcdefghijklmnopqrstuvw1"
POLL = f"/v1/threads/{THREAD}/runs/{RUN}"


def recorded(*ones: Interaction) -> Tape:
    return Tape(header=Header(), interactions=ones)


def states(*names: str, first: int = 1) -> list[Interaction]:
    return [interaction(number, "GET", POLL, None, {"status": name}) for number, name in enumerate(names, first)]


def got(cursor: Cursor, one: Interaction) -> bytes | None:
    found = cursor.find(request(one.method, one.target, one.request_headers), one.request_body)
    return None if isinstance(found, Miss) else cursor.render(found).body


def statuses(cursor: Cursor, one: Interaction, times: int) -> list[str]:
    return [json.loads(got(cursor, one) or b'{"status":"miss"}')["status"] for _ in range(times)]


def test_polling_to_completion_neither_hangs_nor_goes_back() -> None:
    """datahub#18641 (the first match for ever), mastra#19437 (differing repeats lost), vcrpy#842, mitmproxy#8139."""
    polls = states("queued", "in_progress", "completed")
    cursor = Library([recorded(*polls)]).session("x")
    assert statuses(cursor, polls[0], 6) == ["queued", "in_progress", *["completed"] * 4]


def test_a_poll_is_never_given_what_another_method_got() -> None:
    """Seen in a rival: all polls got the body of the DELETE that came last."""
    polls = states("queued", "completed")
    gone = interaction(3, "DELETE", POLL, None, {"status": "deleted"})
    cursor = Library([recorded(*polls, gone)]).session("x")
    assert statuses(cursor, polls[0], 3) == ["queued", "completed", "completed"]


def test_ids_made_by_the_server_come_back_later_and_are_known() -> None:
    """grpc-tools#2, go-vcr#90, playwright-advanced-har#19, sysknife#182 (the second turn can never match)."""
    made = interaction(1, "POST", "/v1/threads", {}, {"id": THREAD})
    turn = interaction(2, "POST", f"/v1/threads/{THREAD}/messages", {"content": f"in {THREAD}"}, {"thread_id": THREAD})
    cursor = Library([resealed(recorded(made, turn))], Matching(fresh_ids=True)).session("x")
    mine = json.loads(got(cursor, made) or b"")["id"]
    found = cursor.find(request("POST", f"/v1/threads/{mine}/messages", JSON), f'{{"content":"in {mine}"}}'.encode())
    assert isinstance(found, Interaction)
    assert json.loads(cursor.render(found).body) == {"thread_id": mine}


def test_order_of_keys_white_space_and_the_users_agent_make_no_miss() -> None:
    """azure-sdk-for-js#14871 and #10871, azure-sdk-tools#2178, node-replay#148, WireMock.Net#912, ogx#5252."""
    agent: Headers = ((b"User-Agent", b"one"), (b"X-Stainless-Retry-Count", b"0"), *JSON)
    tape_of = recorded(*tape(taken(request("POST", "/x", agent), b'{"a":1,"b":[2]}', chunks=[b"hit"])).interactions)
    other: Headers = ((b"User-Agent", b"two"), *JSON)
    found = Library([tape_of]).session("x").find(request("POST", "/x", other), b'{ "b": [2.0], "a": 1 }')
    assert isinstance(found, Interaction)


def test_a_uuid_and_a_time_that_are_new_each_time_need_one_rule() -> None:
    """CopilotKit/aimock#59."""
    body = '{"id":"%s","at":"%s","n":1}'
    rules = Rules(normalise={"id": "uuid", "at": "timestamp"})
    first = body % ("0b7c2a52-5be4-4bb0-9a3e-6f7e9a1c2d3e", "2026-11-23T03:00:00Z")
    later = body % ("7f3a9b2c-5be4-4bb0-9a3e-6f7e9a1c2d3e", "2027-01-01T09:30:00Z")
    library = Library([tape(taken(request("POST", "/x", JSON), first.encode()))], Matching(rules=rules))
    assert isinstance(library.session("x").find(request("POST", "/x", JSON), later.encode()), Interaction)
    changed = later.replace('"n":1', '"n":2').encode()
    assert isinstance(library.session("x").find(request("POST", "/x", JSON), changed), Miss)


def test_a_request_that_changed_does_not_stay_green() -> None:
    """pydantic-ai#6993, hacs_waste_collection_schedule#7102 (679 of 682 altered suites passed), litellm#37525."""
    library = Library([tape(taken(request("POST", "/x", JSON), b'{"model":"a","stream":false}'))])
    for body in (b'{"model":"b","stream":false}', b'{"model":"a","stream":true}', b'{"model":"a"}', b""):
        assert isinstance(library.session("x").find(request("POST", "/x", JSON), body), Miss)


def test_after_the_last_answer_nothing_is_forwarded() -> None:
    """mitmproxy#8363 (forwards upstream), mitmproxy#5024, bernstein#1832."""
    made = interaction(1, "POST", "/v1/threads", {}, {"id": THREAD})
    cursor = Library([recorded(made)]).session("x")
    asked = request("POST", "/v1/threads", JSON), b"{}"
    assert isinstance(cursor.find(*asked), Interaction)
    assert isinstance(plan(Mode.REPLAY, cursor.find(*asked)), Refuse)
    assert plan(Mode.AUTO, cursor.find(*asked)) == Forward(record=True)


def test_in_auto_an_id_that_only_the_recording_knows_is_not_forwarded() -> None:
    made = interaction(1, "POST", "/v1/threads", {}, {"id": THREAD})
    for matching in (Matching(), Matching(fresh_ids=True)):
        cursor = Library([recorded(made)], matching).session("x")
        mine = json.loads(got(cursor, made) or b"")["id"]
        assert isinstance(plan(Mode.AUTO, cursor.find(request("GET", f"/v1/threads/{mine}"), b"")), Refuse)


def test_a_miss_says_what_differs_and_what_was_consumed() -> None:
    """vcrpy#838, #852, #839, #533, #516; pollyjs#114; crewAI#5854 (wrapped into «Failed to connect»)."""
    cursor = Library([tape(taken(request("POST", "/x", JSON), b'{"model":"a"}'))]).session("x")
    for body in (b'{"model":"b"}', b'{"model":"a"}', b'{"model":"a"}'):
        cursor.find(request("POST", "/x", JSON), body)
    first, second = cursor.misses
    assert 'it differs at $.model: recorded "a", asked "b"' in first.message
    assert 'ignore = ["$.model"]' in first.message
    assert "recorded once, and has been played already" in second.message


def test_redaction_makes_no_miss_and_shows_no_secret() -> None:
    """langchain#36502, vcrpy#533: the request that is asked is redacted as the recorded one was."""

    def asked(key: bytes) -> tuple[Headers, bytes]:
        return ((b"Authorization", b"Bearer " + key), *JSON), b'{"webhook":"https://x/?token=' + key + b'","n":1}'

    headers, body = asked(KEY)
    cursor = Library([tape(taken(request("POST", "/x", headers), body))]).session("x")
    headers, body = asked(b"dummy-key-in-replay-0")
    assert isinstance(cursor.find(request("POST", "/x", headers), body), Interaction)
    cursor.find(request("POST", "/x", headers), body.replace(b'"n":1', b'"n":2'))
    assert b"dummy-key" not in cursor.misses.text.encode()


def test_concurrent_sessions_share_no_cursor() -> None:
    """vcrpy#516, pytest-vcr#52, exvcr#127, wiremock#456 (the race of scenarios) and #498 (an instance a session)."""
    polls = states("queued", "completed")
    library = Library([recorded(*polls)])
    first, second = library.session("a"), library.session("b")
    seen = [statuses(cursor, polls[0], 1)[0] for cursor in (first, second, first, second)]
    assert seen == ["queued", "queued", "completed", "completed"]


def test_files_are_read_in_the_order_in_which_they_are_named() -> None:
    """cassetter#27 (the file system's order)."""
    tapes = [recorded(*states(name)) for name in ("queued", "in_progress", "completed")]
    assert statuses(Library(tapes).session("x"), tapes[0].interactions[0], 3) == ["queued", "in_progress", "completed"]


def multipart(
    boundary: str, fields: Sequence[tuple[str, str]], name: str = "Content-Disposition"
) -> tuple[Headers, bytes]:
    parts = [f'--{boundary}\r\n{name}: form-data; name="{field}"\r\n\r\n{value}\r\n' for field, value in fields]
    headers = ((b"Content-Type", f'multipart/form-data; boundary="{boundary}"'.encode()),)
    return headers, ("".join(parts) + f"--{boundary}--\r\n").encode()


def test_the_boundary_of_a_multipart_body_does_not_count() -> None:
    """vcrpy#28 and #647, vcr#960, betamax#64, litellm#37909."""
    fields = [("purpose", "assistants"), ("file", "a\nb")]
    headers, body = multipart("one", fields)
    library = Library([tape(taken(request("POST", "/v1/files", headers), body))])
    for other in (
        multipart("two", fields),
        multipart("3", fields[::-1]),
        multipart("4", fields, "content-disposition"),
    ):
        assert isinstance(library.session("x").find(request("POST", "/v1/files", other[0]), other[1]), Interaction)
    changed = multipart("two", [fields[0], ("file", "a\nc")])
    assert isinstance(library.session("x").find(request("POST", "/v1/files", changed[0]), changed[1]), Miss)


def test_recordings_that_nothing_asked_for_are_named() -> None:
    """vcrpy#329, vcr#163 and #587, pydantic-ai#5847; polls that a faster client left out are not among them."""
    polls = states("queued", "in_progress", "completed")
    stale = interaction(9, "POST", "/v1/assistants", {}, {})
    cursor = Library([recorded(*polls, stale)], Matching(polls="collapse")).session("x")
    assert statuses(cursor, polls[0], 2) == ["queued", "completed"]
    assert [(one.index, one.target) for one in cursor.unplayed()] == [(stale.index, stale.target)]
