"""A secret that a server cuts in two is in no frame that is let go, at no moment."""

import base64
import json
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.tapes import KEY, STREAM, journal, only, request, resealed, taken, tape
from wiretape.cassette.deltas import joined
from wiretape.cassette.recorder import RecordLimits
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.withheld import Withheld, redacted
from wiretape.exchange import Headers

OPAQUE = "Opaq/AbCd+EfGh.Ij"
HEADERS: Headers = ((b"Authorization", b"Bearer " + OPAQUE.encode()),)
UNKNOWN = "sk-proj-" + "Zz9_y-X8" * 4
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END PRIVATE KEY-----"
SPLIT = {
    "a known key": OPAQUE,
    "a known key in base64": base64.b64encode(f"user:{OPAQUE}".encode()).decode(),
    "a known key in a URL": OPAQUE.replace("/", "%2F").replace("+", "%2B"),
    "a known key in two encodings": "".join(f"%5Cu{ord(char):04x}" for char in OPAQUE),
    "what looks like a key": UNKNOWN,
    "a web token": JWT,
    "a private key": PEM,
    "a bearer token": "Bearer 0123456789abcdef-XYZ",
    "a password in a URL": "https://user:hunter2pass@h/",
    "a parameter": "https://h/?api_key=Opaque0123456789",
    "a field of arguments": '{"city": "Rome", "password": "hunter2", "x": 1}',
    "a token of arguments": '{"token": "Opaque0123456789", "x": 1}',
}
WHOLE = {"a known key", "a known key in a URL", "a known key in two encodings", "what looks like a key", "a web token"}
"""Of these nothing at all is left."""
GONE = {
    "a known key in base64": base64.b64encode(f"user:{OPAQUE}".encode()).decode()[8:20],
    "a bearer token": "0123456789abcdef",
    "a password in a URL": "hunter2",
    "a parameter": "Opaque01",
    "a field of arguments": "hunter2",
    "a token of arguments": "Opaque0",
}


def frame(part: str, index: int = 0, *, ascii_only: bool = False) -> bytes:
    data = {"object": "thread.message.delta", "delta": {"content": [{"index": index, "text": {"value": part}}]}}
    return b"event: thread.message.delta\ndata: " + json.dumps(data, ensure_ascii=ascii_only).encode() + b"\n\n"


def redactor(**options: tuple[str, ...]) -> Redactor:
    return Redactor(Secrets(rules=RedactOptions(**options)), b"/", HEADERS)


def cut(text: str, cuts: Sequence[int]) -> list[str]:
    return [text[start:end] for start, end in pairwise([0, *sorted({at % len(text) for at in cuts}), len(text)])]


def text_of(frames: Sequence[bytes]) -> str:
    one = only(tape(taken(request(), headers=STREAM, chunks=frames)))
    (told,) = joined(one) or [b""]
    return str(json.loads(b'"' + told + b'"'))


def let_go(parts: Sequence[str], lookback: int = 8192) -> list[list[bytes]]:
    """The frames that may be written after each that came, and those left at the end."""
    held = Withheld(redactor(), lookback, 1 << 20)
    return [[one.stored for one in held.feed(frame(part))] for part in parts] + [[one.stored for one in held.finish()]]


@pytest.mark.parametrize("what", SPLIT)
@given(
    cuts=st.lists(st.integers(0, 200), max_size=8), around=st.sampled_from([("", ""), ("say ", " now"), ("a\n", "\n!")])
)
def test_a_secret_in_pieces_is_taken_out_at_every_moment(what: str, cuts: list[int], around: tuple[str, str]) -> None:
    before, after = around
    steps = let_go(cut(before + SPLIT[what] + after, cuts))
    whole = "".join(text_of(step) for step in steps if step)
    gone = GONE.get(what, SPLIT[what][4:16])
    assert gone not in whole
    assert "{{secret:" in whole
    if what in WHOLE:
        assert re.fullmatch(r"\{\{secret:[a-z]+#1\}\}", whole.removeprefix(before).removesuffix(after))
    assert whole.startswith(before)
    assert whole.endswith(after)


words = st.lists(
    st.sampled_from(["Hel", "lo", " wor", "ld", "s", "e", " risk", "-", "sk", " O", "Opaq", "é", "\n", "%2"])
)


@given(words)
@example(["Opaq", " and"])
@example(["sk", "-", "short"])
@example(["%", "2", " "])
def test_what_is_no_secret_is_let_go_as_it_came_and_in_order(parts: list[str]) -> None:
    came = [frame(part) for part in parts]
    assert [one for step in let_go(parts) for one in step] == came


@pytest.mark.parametrize(
    ("parts", "waiting"),
    [
        (["Hello", " world"], [0, 0]),
        (["Opaq", "ue"], [1, 0]),
        (["use sk", "-", "abc", " then"], [1, 2, 3, 0]),
        (["risk", "task"], [0, 0]),
        (["Bearer", " ", "abc", " then"], [1, 2, 3, 0]),
        (['{"pass', "word", '": ', '"x', '"'], [1, 2, 3, 4, 1]),
    ],
)
def test_a_frame_waits_only_while_it_may_end_in_a_secrets_beginning(parts: list[str], waiting: list[int]) -> None:
    held, left = Withheld(redactor(), 8192, 1 << 20), []
    for part in parts:
        list(held.feed(frame(part)))
        left.append(len(held._frames))
    assert left == waiting


def test_frames_of_other_kinds_wait_in_their_place() -> None:
    held = Withheld(redactor(), 8192, 1 << 20)
    assert list(held.feed(frame("Opaq"))) == []
    assert list(held.feed(b": keep-alive\n\n")) == []
    came = [one.came for one in held.feed(frame("ue"))]
    assert came == [frame("Opaq"), b": keep-alive\n\n", frame("ue")]


def test_texts_that_come_at_once_are_looked_at_apart() -> None:
    held = Withheld(redactor(), 8192, 1 << 20)
    half = len(OPAQUE) // 2
    parts = [(OPAQUE[:half], 0), (OPAQUE[:half], 1), (OPAQUE[half:], 1), (" fine", 0)]
    stored = [one.stored for part, index in parts for one in held.feed(frame(part, index))]
    stored += [one.stored for one in held.finish()]
    texts = joined(only(tape(taken(request(), headers=STREAM, chunks=stored))))
    assert texts == [OPAQUE[:half].encode() + b" fine", b"{{secret:bearer#1}}"]


def test_no_more_than_the_lookback_waits() -> None:
    parts = ["sk-", *["abcdefgh"] * 40, " end"]
    held = Withheld(redactor(), 64, 1 << 20)
    most = 0
    stored = []
    for part in parts:
        stored += [one.stored for one in held.feed(frame(part))]
        most = max(most, len(held._frames))
    assert held.passed > 0
    assert most <= 9
    assert b"{{secret:key#1}}" in b"".join(stored)


def test_no_more_than_so_many_bytes_of_frames_wait() -> None:
    held = Withheld(redactor(), 8192, 400)
    counts = [len(list(held.feed(one))) for one in [frame("Opaq"), *[b": " + b"x" * 90 + b"\n\n"] * 4]]
    assert sum(counts) >= 4
    assert held.passed == 1


def test_a_pattern_of_the_user_is_found_across_the_frames_of_a_whole_stream() -> None:
    one = redactor(patterns=(r"K-(\d{6})",))
    stored = redacted([frame("id K-12"), frame("34"), frame("56 ok")], one)
    assert text_of(stored) == "id K-{{secret:pattern#1}} ok"


def test_a_secret_split_over_two_deltas_is_in_no_line_of_a_recording() -> None:
    for secret in (OPAQUE, UNKNOWN, KEY.decode()):
        for at in range(1, len(secret)):
            chunks = [frame(f"Use {secret[:at]}"), frame(secret[at:] + " now"), b"event: done\ndata: [DONE]\n\n"]
            lines = taken(request(headers=HEADERS), headers=STREAM, chunks=chunks)
            told = text_of([one for one in _frames(lines) if b"delta" in one])
            assert told in {"Use {{secret:bearer#1}} now", "Use {{secret:key#1}} now"}
            assert resealed(tape(lines)).notes == ()
            assert secret.encode() not in journal(lines)


def _frames(lines: list[bytes]) -> list[bytes]:
    one = only(tape(lines))
    ends = [sum(one.frames[: at + 1]) for at in range(len(one.frames))]
    return [one.body[start:end] for start, end in pairwise([0, *ends])]


def test_the_reads_fit_what_is_stored() -> None:
    half = len(OPAQUE) // 2
    one = only(
        tape(taken(request(headers=HEADERS), headers=STREAM, chunks=[frame(OPAQUE[:half]), frame(OPAQUE[half:])]))
    )
    assert sum(size for _, size in one.chunks) == len(one.body)


def test_a_recording_counts_what_it_had_to_let_go() -> None:
    secrets = Secrets()
    chunks = [frame("sk-"), *[frame("abcdefgh")] * 4]
    taken(request(), headers=STREAM, chunks=chunks, secrets=secrets, limits=RecordLimits(redact_lookback=8))
    assert secrets.lookbacks_passed > 0
