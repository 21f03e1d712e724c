"""A sealed file holds nothing of what its recording has learned by its end."""

import json

from support.tapes import JSON, STREAM, only, request, resealed, taken, tape
from wiretape.cassette.format import Tape
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.sweep import is_needed, swept
from wiretape.exchange import Headers

KEY = b"Issued/Key+0123456789"
HEADERS: Headers = ((b"Authorization", b"Bearer " + KEY),)
OTHER: Headers = ((b"Authorization", b"Bearer Another/Key-987654321"),)


def frame(part: str) -> bytes:
    return b'data: {"delta":{"text":{"value":"' + part.encode() + b'"}}}\n\n'


def swept_tape(content: Tape, secrets: Secrets) -> Tape:
    return Tape(header=content.header, interactions=tuple(swept(one, secrets) for one in content.interactions))


def test_a_key_in_the_answer_that_handed_it_out_leaves_the_sealed_file() -> None:
    secrets = Secrets()
    half = len(KEY) // 2
    parts = [frame("It is " + KEY[:half].decode()), frame(KEY[half:].decode() + "."), b": x\n\n"]
    content = tape(
        taken(request("POST", headers=OTHER), b'{"id":1}', chunks=[b'{"issued":"' + KEY + b'"}'], secrets=secrets),
        taken(request("POST", "/s", OTHER), headers=STREAM, chunks=parts, index=2, secrets=secrets),
        taken(request("POST", "/q?x=" + KEY.decode(), (*OTHER, (b"X", KEY))), KEY, index=3, secrets=secrets),
        taken(request("GET", headers=HEADERS), index=4, secrets=secrets),
    )
    assert is_needed(secrets)
    clean = swept_tape(content, secrets)
    told = "".join(f"{one}" for one in clean.interactions)
    assert KEY.decode() not in told
    assert KEY[:half].decode() not in told
    first, streamed, asked, last = clean.interactions
    assert first.body == b'{"issued":"{{secret:bearer#2}}"}'
    assert streamed.body == b"".join([frame("It is {{secret:bearer#2}}"), frame("."), b": x\n\n"])
    assert (asked.target, asked.request_body) == ("/q?x={{secret:bearer#2}}", b"{{secret:bearer#2}}")
    assert last == content.interactions[3]
    for one in clean.interactions:
        assert sum(size for _, size in one.chunks) == len(one.body)
        assert sum(one.frames) in {0, len(one.body)}
    assert resealed(clean).notes == ()


def test_what_a_streams_last_event_names_leaves_its_earlier_ones() -> None:
    secrets = Secrets()
    ended = (
        b'data: {"arguments":"' + json.dumps({"password": "hunter2-hunter2"}).replace('"', '\\"').encode() + b'"}\n\n'
    )
    chunks = [frame("say hunter2-hunter2 now"), ended]
    content = tape(
        taken(request("POST", headers=JSON), headers=STREAM, chunks=chunks, secrets=secrets),
        taken(request("POST"), b"hunter2-hunter2", chunks=[b"hunter2-hunter2"], index=2, secrets=secrets),
    )
    first, then = swept_tape(content, secrets).interactions
    assert b"hunter2" not in first.body
    assert then == content.interactions[1]


def test_a_pattern_is_found_across_deltas_when_sealing() -> None:
    secrets = Secrets(rules=RedactOptions(patterns=(r"K-\d{6}",)))
    content = tape(taken(request(), headers=STREAM, chunks=[frame("K-123"), frame("456")], secrets=secrets))
    assert b"K-123" in only(content).body
    assert only(swept_tape(content, secrets)).body == frame("{{secret:pattern#1}}") + frame("")


def test_a_recording_that_learned_nothing_late_is_sealed_as_it_is() -> None:
    secrets = Secrets()
    taken(request("POST", headers=HEADERS), KEY, chunks=[KEY], secrets=secrets)
    taken(request("POST", headers=HEADERS), KEY, chunks=[KEY], index=2, secrets=secrets)
    assert not is_needed(secrets)


def test_what_went_before_this_recording_is_swept_of_its_first_key() -> None:
    secrets = Secrets(begun=True)
    taken(request("POST", headers=HEADERS), secrets=secrets)
    older = tape(taken(request("POST"), chunks=[KEY]))
    assert only(swept_tape(older, secrets)).body == b"{{secret:bearer#1}}"
