import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tapes import JSON, KEY, MS, STREAM, journal, only, request, taken, tape
from wiretape.cassette.edits import fitted
from wiretape.cassette.format import Ended
from wiretape.cassette.recorder import RecordLimits, Take
from wiretape.cassette.secrets import Secrets
from wiretape.errors import BodyTooLarge, CassetteError, DecodeFailed, FrameTooLarge
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request

GZIP: Headers = ((b"Content-Encoding", b"gzip"),)
BODY = b'{"id":"thread_abc123","text":"' + b"words " * 400 + b'"}'
FRAMES = b'event: a\ndata: {"x":1}\n\n: keep-alive\n\ndata: [DONE]\n\n'


def take(asked: Request | None = None, limits: RecordLimits | None = None) -> Take:
    return Take(1, asked or request("POST"), 0, Secrets(), limits or RecordLimits())


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_body_in_any_pieces_comes_back_to_the_byte(body: bytes, cuts: list[int]) -> None:
    borders = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(borders)]
    for headers in (JSON, STREAM):
        one = only(tape(taken(request(), headers=headers, chunks=pieces)))
        assert (one.body, [size for _, size in one.chunks]) == (body, [len(piece) for piece in pieces])


@pytest.mark.parametrize(
    "asked", [request("POST"), request("POST", headers=((b"Authorization", b"Bearer Kanari-env0gel-im-Berg"),))]
)
def test_an_answer_that_comes_before_the_request_has_ended_writes_down_no_part_of_a_key(asked: Request) -> None:
    key = b"Kanari-env0gel-im-Berg" if asked.headers else KEY
    one = take(asked)
    one.sent(Chunk(b'{"a":"' + key[:-2], 0))
    early = one.head(Head(401, JSON, 0))
    assert key[:6] not in b"".join(early)
    assert [line[:9] for line in one.cut()] == [b'{"k":"end']
    one.sent(Chunk(key[-2:] + b' b"}', 0))
    lines = one.end(Ending(How.COMPLETE, 0))
    assert [line[:9] for line in lines] == [b'{"k":"req', b'{"k":"res', b'{"k":"end']
    assert only(tape([*early, *lines])).request_body.endswith(b'#1}} b"}')


def test_an_event_stream_is_written_frame_by_frame_as_it_comes() -> None:
    one = take()
    assert [line[:9] for line in one.head(Head(200, STREAM, 0))] == [b'{"k":"req', b'{"k":"res']
    assert list(one.chunks(Chunk(FRAMES[:30], 0))) == [b'{"k":"ev","i":1,"e":"a","d":{"x":1}}\n']
    assert len(list(one.chunks(Chunk(FRAMES[30:], 0)))) == 2


def test_other_bodies_are_written_when_they_have_ended() -> None:
    one = take()
    assert one.sent(Chunk(b"{}", 0)) == []
    assert len(one.head(Head(200, JSON, 0))) == 1
    assert list(one.chunks(Chunk(BODY, 0))) == []
    assert [line[:9] for line in one.end(Ending(How.COMPLETE, 0))] == [b'{"k":"res', b'{"k":"end']


def test_times_count_from_the_requests_beginning_and_do_not_drift() -> None:
    asked = request(at_ms=100)
    one = take(asked)
    lines = one.head(Head(200, JSON, 0))
    for at_us in (100_900, 101_800, 102_700, 102_650):
        one.chunks(Chunk(b"x", at_us * 1000))
    assert only(tape(lines + one.end(Ending(How.COMPLETE, 0)))).chunks == ((0, 1), (1, 1), (1, 1), (0, 1))


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        (How.COMPLETE, Ended.COMPLETE),
        (How.UPSTREAM_FAILED, Ended.UPSTREAM_FAILED),
        (How.CLIENT_LEFT, Ended.CLIENT_LEFT),
        (How.CANCELLED, Ended.RECORDER),
    ],
)
def test_how_it_ended_is_kept_with_what_came(how: How, ended: Ended) -> None:
    for headers in (JSON, STREAM):
        one = only(tape(taken(request(), headers=headers, chunks=[FRAMES[:30]], how=how)))
        assert (one.how, one.body) == (ended, FRAMES[:30])


def test_a_refused_exchange_leaves_nothing() -> None:
    one = take()
    one.sent(Chunk(b"{}", 0))
    assert one.end(Ending(How.REFUSED, 0)) == []


def test_an_exchange_without_a_head_has_no_answer() -> None:
    one = take()
    one.sent(Chunk(b'{"a":1}', 0))
    kept = only(tape(one.end(Ending(How.CLIENT_LEFT, 0))))
    assert (kept.status, kept.request_body, kept.playable) == (None, b'{"a":1}', False)


def test_a_request_that_goes_on_after_the_answer_began_is_kept_whole() -> None:
    one = take()
    lines = one.sent(Chunk(b"first,", 0)) + one.head(Head(413, JSON, 0)) + one.sent(Chunk(b"second", 0))
    assert only(tape(lines + one.end(Ending(How.COMPLETE, 0)))).request_body == b"first,second"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_compressed_bodies_are_stored_decoded(coding: bytes) -> None:
    headers = ((b"Content-Encoding", coding),)
    packed = gzip.compress(BODY) if coding == b"gzip" else zlib.compress(BODY)
    one = only(
        tape(taken(request("POST", headers=headers), packed, headers=headers, chunks=[packed[:20], packed[20:]]))
    )
    assert (one.request_body, one.request_enc, one.body, one.enc) == (BODY, coding.decode(), BODY, coding.decode())
    assert one.headers == one.request_headers == ()
    assert sum(size for _, size in one.chunks) == len(BODY)


def test_a_compressed_event_stream_is_stored_in_frames() -> None:
    packed = gzip.compress(FRAMES)
    one = only(tape(taken(request(), headers=(*STREAM, *GZIP), chunks=[packed[:20], packed[20:]])))
    assert (one.body, len(one.frames), one.enc, one.headers) == (FRAMES, 3, "gzip", STREAM)
    assert sum(size for _, size in one.chunks) == len(FRAMES)


PACKED = gzip.compress(BODY)


@pytest.mark.parametrize(
    ("packed", "codings"),
    [
        (PACKED[:-9], [b"gzip"]),
        (b"not packed", [b"gzip"]),
        (b"\xff\x00", [b"br"]),
        (PACKED, [b"br, gzip"]),
        (PACKED, [b"gzip", b"zstd"]),
    ],
)
def test_a_body_in_a_coding_that_cannot_be_undone_is_not_stored(packed: bytes, codings: list[bytes]) -> None:
    headers = tuple((b"Content-Encoding", coding) for coding in codings)
    one = take()
    lines = [*one.head(Head(200, headers, 0)), *one.chunks(Chunk(packed, 0))]
    with pytest.raises(DecodeFailed):
        one.end(Ending(How.COMPLETE, 0))
    kept = only(tape(lines + one.cut()))
    assert (kept.playable, kept.body) == (False, b"")


@pytest.mark.parametrize(
    ("packed", "codings"),
    [
        (PACKED, [b"gzip, identity"]),
        (PACKED, [b"identity", b"gzip"]),
        (gzip.compress(PACKED), [b"gzip,gzip"]),
        (gzip.compress(zlib.compress(BODY)), [b"deflate", b"GZip"]),
    ],
)
def test_lists_of_codings_are_undone_from_the_last_to_the_first(packed: bytes, codings: list[bytes]) -> None:
    headers = tuple((b"Content-Encoding", coding) for coding in codings)
    one = only(tape(taken(request("POST", headers=headers), packed, headers=headers, chunks=[packed])))
    assert (one.body, one.request_body, one.headers) == (BODY, BODY, ())


def test_a_compressed_body_that_was_torn_is_stored_decoded_as_far_as_it_came() -> None:
    one = only(tape(taken(request(), headers=GZIP, chunks=[PACKED[:-9]], how=How.UPSTREAM_FAILED)))
    assert BODY.startswith(one.body)
    assert (one.body != b"", one.how, one.headers) == (True, Ended.UPSTREAM_FAILED, ())


@pytest.mark.parametrize("status", [0, 99, 101, 1000])
def test_a_status_that_no_reader_takes_is_not_stored(status: int) -> None:
    one = take()
    with pytest.raises(CassetteError, match=f"The status {status} is no final status"):
        one.head(Head(status, JSON, 0))
    assert one.cut() == []


def test_a_method_that_no_reader_takes_is_not_stored() -> None:
    with pytest.raises(CassetteError, match="no token"):
        take(request("GET\u00e9")).head(Head(200, JSON, 0))


def test_an_empty_body_with_a_coding_is_empty() -> None:
    one = only(tape(taken(request(), headers=GZIP)))
    assert (one.body, one.headers) == (b"", GZIP)


@pytest.mark.parametrize("chunks", [[b"12345678901"], [b"123456", b"78901"]])
def test_a_body_over_the_limit_is_not_recorded(chunks: list[bytes]) -> None:
    with pytest.raises(BodyTooLarge):
        taken(request(), chunks=chunks, limits=RecordLimits(body_bytes_max=10))


def test_a_body_that_decodes_to_more_than_the_limit_is_not_recorded() -> None:
    with pytest.raises(BodyTooLarge):
        taken(request(), headers=GZIP, chunks=[gzip.compress(b"x" * 5000)], limits=RecordLimits(body_bytes_max=4000))


def test_a_frame_over_the_limit_is_not_recorded() -> None:
    with pytest.raises(FrameTooLarge):
        taken(request(), headers=STREAM, chunks=[b"data: 1234567890"], limits=RecordLimits(frame_bytes_max=10))


def test_an_exchange_that_is_cut_is_closed_by_the_recorder() -> None:
    one = take()
    assert one.cut() == []
    lines = [*one.head(Head(200, STREAM, 0)), *one.chunks(Chunk(FRAMES, 0))]
    kept = tape(lines + one.cut())
    assert (only(kept).how, only(kept).body, kept.notes) == (Ended.RECORDER, FRAMES, ())


def test_an_exchange_that_is_cut_before_its_body_was_written_has_none() -> None:
    one = take()
    lines = [*one.head(Head(200, JSON, 0)), *one.chunks(Chunk(BODY, 0))]
    assert only(tape(lines + one.cut())).status is None


def test_fields_of_one_connection_and_those_no_header_may_hold_are_left_out() -> None:
    headers = ((b"Connection", b"x-a"), (b"X-A", b"1"), (b"Transfer-Encoding", b"chunked"), (b"X-B", b"a\r\nb"), *JSON)
    one = only(tape(taken(request("POST", headers=headers), headers=headers)))
    assert one.headers == one.request_headers == JSON


@pytest.mark.parametrize(
    ("target", "stored"), [("/a b\x7f", "/a%20b%7F"), ("/\udcff", "/\\xff"), ("/é?x=%7B%7B{{", "/é?x=%7B%7B{{")]
)
def test_a_target_is_stored_so_that_it_can_be_read_again(target: str, stored: str) -> None:
    assert only(tape(taken(request(target=target)))).target == stored


def test_a_secret_cut_by_a_chunk_is_found_and_the_reads_still_fit() -> None:
    stream = b"data: 1\n\ndata: " + KEY + b"\n\ndata: 2\n\n"
    for cut in range(1, len(stream)):
        asked = request(headers=((b"api-key", KEY),))
        one = only(tape(taken(asked, headers=STREAM, chunks=[stream[:cut], stream[cut:]])))
        assert one.body == b"data: 1\n\ndata: {{secret:key#1}}\n\ndata: 2\n\n"
        assert sum(size for _, size in one.chunks) == len(one.body)
        assert one.chunks[0][1] == cut or cut > 9


def test_the_journal_holds_what_came_before_the_end() -> None:
    one = take()
    lines = [*one.head(Head(200, STREAM, MS)), *one.chunks(Chunk(FRAMES, 2 * MS))]
    assert b'"d":"[DONE]"' in journal(lines)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9), st.integers(0, 20)), max_size=4),
)
def test_reads_fit_the_stored_bytes_whatever_changed_length(
    reads: list[int], steps: list[tuple[int, int, int]]
) -> None:
    changes, at = [], 0
    for gap, came, stored in steps:
        changes.append((at + gap, came, stored))
        at += gap + came
    reads[-1] += max(at - sum(reads), 0)
    sizes = fitted(reads, changes)
    assert sum(sizes) == sum(reads) + sum(stored - came for _, came, stored in changes)
    assert all(size >= 0 for size in sizes)


def test_reads_without_changes_are_what_they_are() -> None:
    assert fitted([3, 0, 4], []) == [3, 0, 4]


def test_what_a_body_tells_to_be_a_secret_leaves_the_head_too() -> None:
    told = b'{"password":"hunter2-hunter2"}'
    asked = request("POST", "/x/hunter2-hunter2", ((b"X-A", b"hunter2-hunter2"),))
    one = only(
        tape(taken(asked, told, headers=((b"X-B", b"other3-other3"),), chunks=[b'{"password":"other3-other3"}']))
    )
    assert (one.target, one.request_headers) == ("/x/{{secret:key#1}}", ((b"X-A", b"{{secret:key#1}}"),))
    assert one.headers == ((b"X-B", b"{{secret:key#2}}"),)


def again(secrets: Secrets, target: str = "/v1/runs/run_1", key: bytes = KEY, body: bytes = b"") -> bytes:
    headers: Headers = ((b"Authorization", b"Bearer " + key), (b"X-Client", b"one"), (b"Connection", b"close"))
    return b"".join(taken(request("POST" if body else "GET", target, headers), body, secrets=secrets))


def test_what_a_client_repeats_is_written_as_if_it_came_for_the_first_time() -> None:
    secrets = Secrets()
    first = again(secrets)
    assert first.startswith(b'{"k":"req","i":1,"ss":"default","m":"GET","u":"/v1/runs/run_1","h":[["Authorization",')
    assert [again(secrets) for _ in range(3)] == [first] * 3
    assert again(secrets, body=b"{}") == first.replace(b'"GET"', b'"POST"').replace(b'"]]}', b'"]],"json":{}}', 1)


def test_what_is_repeated_is_looked_at_anew_when_more_is_known() -> None:
    secrets, other = Secrets(), b"run-0f-secret-1"
    before = again(secrets, f"/v1/{other.decode()}")
    assert again(secrets, f"/v1/{other.decode()}") == before
    again(secrets, key=other)
    assert again(secrets, f"/v1/{other.decode()}") == before.replace(other, b"{{secret:bearer#2}}")


def test_a_head_whose_placeholder_was_forgotten_gets_another() -> None:
    secrets = Secrets(secrets_max=1)
    first = again(secrets)
    for number in range(9):
        secrets.placeholder("key", b"value-%d" % number)
    assert again(secrets) == first.replace(b"bearer#1", b"bearer#2")


def test_a_long_line_is_not_remembered() -> None:
    secrets = Secrets()
    for size in (10, 8 << 10):
        for _ in range(3):
            lines = taken(request(headers=((b"api-key", KEY), (b"X-Long", b"x" * size))), secrets=secrets)
            assert len(lines[0]) > size
    assert [len(head.lines) for head in secrets.heads.values()] == [1, 0]


def test_the_heads_and_lines_that_are_remembered_are_bounded() -> None:
    secrets = Secrets()
    for number in range(100):
        again(secrets, f"/v1/runs/run_{number % 90}", key=KEY + b"%d" % (number // 99))
        taken(request(headers=((b"X-Client", b"%d" % number),)), secrets=secrets)
    assert len(secrets.heads) == 64
    assert max(len(head.lines) for head in secrets.heads.values()) <= 64


def test_a_head_with_more_than_a_key_in_it_is_not_remembered() -> None:
    secrets = Secrets()
    for headers in (((b"X-Note", b"it is " + KEY),), ((b"x-" + KEY, b"1"),)):
        lines = [taken(request(headers=headers), secrets=secrets) for _ in range(2)]
        assert KEY not in b"".join(lines[0])
        assert lines[0] == lines[1]
    assert not secrets.heads


@pytest.mark.parametrize(("length", "written"), [(b"6", 1), (b"7", 2), (None, 2)])
def test_a_body_that_is_there_by_its_length_is_written_once(length: bytes | None, written: int) -> None:
    headers: Headers = () if length is None else ((b"Content-Length", length),)
    lines = taken(request("POST", headers=headers), b"see sk")
    assert sum(line.startswith(b'{"k":"req"') for line in lines) == written
    assert only(tape(lines)).request_body == b"see sk"
