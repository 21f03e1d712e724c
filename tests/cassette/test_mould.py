import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.format import frame_line
from wiretape.cassette.ids import Aliases
from wiretape.cassette.mould import Mould, mould_of
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.stream import Stream
from wiretape.cassette.withheld import Withheld
from wiretape.exchange import Headers
from wiretape.wire.sse import Framer

KEY = b"sk-Canary0123456789abcdefCanary"
HEADERS: Headers = ((b"Authorization", b"Bearer " + KEY), (b"api-key", b"opaque12"))
BEFORE = b'event: thread.message.delta\ndata: {"id":"msg_1","delta":{"content":[{"index":0,"text":{"value":"'
AFTER = b'","annotations":[]}}]}}\n\n'
FRAME = BEFORE + b" word" + AFTER


def redactor(headers: Headers = HEADERS, rules: RedactOptions | None = None) -> Redactor:
    return Redactor(Secrets(rules=rules or RedactOptions()), b"/", headers)


def line(frame: bytes) -> bytes:
    return frame_line(1, frame, Aliases())


def made(frame: bytes = FRAME, by: Redactor | None = None) -> Mould | None:
    return mould_of(frame, line(frame), by or redactor(), None)


def told(*texts: bytes) -> list[bytes]:
    mould = made()
    assert mould is not None
    return mould.words([BEFORE + text + AFTER for text in texts])


HARMLESS = (b"", b" other", b"\xc3\xbcber, it's [1] 50 \xe2\x82\xac!", b"a: b", b"\\n\\n", b"sk-", b"://", KEY)


def test_frames_that_differ_in_a_harmless_word_have_their_lines_at_once() -> None:
    mould = made()
    assert mould is not None
    assert told(*HARMLESS) == list(HARMLESS)
    assert mould.lines(HARMLESS) == b"".join(line(BEFORE + text + AFTER) for text in HARMLESS)
    assert [told(text) for text in HARMLESS] == [[text] for text in HARMLESS]


@pytest.mark.parametrize(
    "text",
    [b'"', b"\\t", b"\\", b"\\\\n", b"%41", b"a=b", b"{{", b"}}", b"\x7f", b"\0", b"\n", b"\xff", b"\xc3", b"x" * 1025],
)
def test_a_word_that_may_be_part_of_something_takes_the_long_way(text: bytes) -> None:
    assert told(text) == []
    assert told(b" a", b" b", text, b" c") == [b" a", b" b"]
    assert told(b"\xbc", text) == []


def test_a_frame_that_differs_elsewhere_does_not_fit() -> None:
    mould = made()
    assert mould is not None
    for frame in (FRAME.replace(b"msg_1", b"msg_2"), FRAME.replace(b"[]", b"[1]"), BEFORE + AFTER[1:], b""):
        assert mould.words([FRAME, frame, FRAME]) == [b" word"]
        assert mould.words([frame]) == []


@pytest.mark.parametrize(
    "frame",
    [
        b"event: done\ndata: [DONE]\n\n",
        b": comment\n\n",
        FRAME.replace(b'"index":0', b'"index":0,"text":"x"'),
        FRAME.replace(b'"msg_1"', b'"a=b"'),
        FRAME.replace(b'"msg_1"', b'"a%b"'),
        FRAME.replace(b'"msg_1"', b'"a\\nb"'),
        FRAME.replace(b'"msg_1"', b'"data:"'),
        FRAME.replace(b'"msg_1"', b'"sk-x"'),
        FRAME.replace(b'"msg_1"', b'"{{"'),
        FRAME.replace(b'"msg_1"', b"1e5"),
        FRAME.replace(b'"delta"', b'"other"').replace(b".delta", b".other").replace(b" word", b" delta"),
        FRAME.replace(b'","anno', b'" ,"anno'),
        FRAME.replace(b"\n", b"\r\n"),
        FRAME[:-1],
        BEFORE + b" word" + b'"}]}}\n\n',
        FRAME.replace(b"msg_1", b"m" * (64 << 10)),
        b'data: {"delta":"a","\xff":1}\n\n',
    ],
)  # fmt: skip
def test_no_mould_is_made_of_what_is_not_as_simple(frame: bytes) -> None:
    assert made(frame) is None


def test_no_mould_is_made_where_more_is_looked_for_than_a_word_tells() -> None:
    assert made(by=redactor(((b"Authorization", b'Digest username="Mufasa", response="6629fae4"'),))) is None
    assert made(by=redactor(rules=RedactOptions(patterns=("w.rd",)))) is None


def test_the_last_mould_is_kept_until_another_can_be_made() -> None:
    by = redactor()
    mould = made(by=by)
    assert mould_of(b"event: done\ndata: [DONE]\n\n", b"", by, mould) is mould
    assert mould_of(FRAME, line(FRAME), by, mould) is mould
    other = FRAME.replace(b"msg_1", b"msg_2")
    renewed = mould_of(other, line(other), by, mould)
    assert renewed is not None
    assert renewed.fits(other)


words = st.binary(max_size=2) | st.sampled_from(
    [
        *(b" the", b" is", b"s", b"k-", b"sk", b"-Canary0123456789", b"abcdefCanary", KEY, KEY[:9], KEY[9:]),
        *(b"opaque", b"12", b"opaque12", b"\\n", b"\\u0041", b"\\", b'"', b"%", b"2D", b"=", b":", b"data: ", b"{{"),
        *(b"{{secret:key#1}}", b"}", b"[", b"\xc3\xbc", b"\xff", b"\t", b"Bearer ", b"bearer", b"://", b"u:pass@"),
        *(b"eyJ", b"api_key", b"?key", b"token", b"-----BEGIN", b"delta", b"u003", b"\n", b"\r"),
    ]
)
envelopes = st.sampled_from(
    [
        (BEFORE, AFTER),
        (BEFORE, AFTER),
        (BEFORE, AFTER),
        (BEFORE.replace(b"msg_1", b"msg_2"), AFTER),
        (BEFORE.replace(b"msg_1", b"opaque1"), AFTER),
        (BEFORE, b'" : "x"}]}}\n\n'),
        (BEFORE.replace(b'"text"', b'"token"'), AFTER),
        (BEFORE.replace(b'"id":"msg_1"', b'"token":"a"'), AFTER),
        (BEFORE.replace(b'"value"', b'"value":"x","value"'), AFTER),
        (BEFORE.replace(b"event: thread.message.delta\n", b""), AFTER),
        (b'data: {"delta":"', b'"}\n\n'),
        (b'data: {"delta":"', b'","index":1,"secret":"abcdefgh1"}\n\n'),
        (b'data: {"delta":"', b'","content":"sk-"}\n\n'),
        (b'data: {"index":1,"delta":"', b'","n":1e5}\n\n'),
        (b'data: ["x-opaque","delta",{"text":"', b'"}]\n\n'),
        (b'event: delta\ndata: {"text":"', b'"}\n\n'),
    ]
)
frames = st.lists(st.tuples(envelopes, st.lists(words, max_size=3).map(b"".join)), max_size=12).map(
    lambda parts: [before + text + after for (before, after), text in parts]
)


def cut_into(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(borders)]


@given(
    frames,
    st.sampled_from([HEADERS, (), HEADERS[1:], ((b"api-key", b'o"paque1'),)]),
    st.lists(st.integers(1, 5), max_size=12),
    st.booleans() | st.lists(st.integers(0, 2000), max_size=9),
)
def test_the_lines_are_those_of_the_long_way(
    sent: list[bytes], headers: Headers, at_once: list[int], cuts: list[int] | bool
) -> None:
    held, stream = Withheld(redactor(headers), 64, 4096), Stream(1, redactor(headers), 64, 4096, None)
    framer = Framer(4096)
    framed = [frame.raw for frame in framer.feed(b"".join(sent)) + framer.finish()]
    long_way = [one.stored for frame in framed for one in held.feed(frame)] + [one.stored for one in held.finish()]
    reads = sent if cuts is False else cut_into(b"".join(sent), [] if cuts is True else cuts)
    lines: list[bytes] = []
    while reads:
        count = at_once.pop() if at_once else 1
        lines += stream.feed(*reads[:count])
        reads = reads[count:]
    lines += stream.finish()
    assert b"".join(lines) == b"".join(map(line, long_way))
    assert stream.size == sum(map(len, long_way))
    assert stream.sha == hashlib.sha256(b"".join(long_way)).hexdigest()[:16]


def stream_of(texts: list[bytes], *batches: int) -> list[bytes]:
    """The lines after each batch of frames, behind one that made the mould."""
    stream = Stream(1, redactor(), 8192, 1 << 20, None)
    assert b"".join(stream.feed(FRAME)) == line(FRAME)
    sent, found = [BEFORE + text + AFTER for text in texts], []
    for count in batches:
        found.append(b"".join(stream.feed(*sent[:count])))
        sent = sent[count:]
    return [*found, b"".join(stream.finish())]


def lines_of(*texts: bytes) -> bytes:
    return b"".join(line(BEFORE + text + AFTER) for text in texts)


def test_a_word_that_may_begin_a_secret_waits_for_the_next() -> None:
    assert stream_of([b" a", b" opa", b" tt"], 2, 1) == [lines_of(b" a"), lines_of(b" opa", b" tt"), b""]
    assert stream_of([b" opa", b"line", b"s", b"k"], 1, 1, 2) == [
        b"",
        lines_of(b" opa", b"line"),
        b"",
        lines_of(b"s", b"k"),
    ]
    assert stream_of([b"see\\nopa", b"l\\n"], 1, 1) == [b"", lines_of(b"see\\nopa", b"l\\n"), b""]


def test_a_secret_in_words_that_waited_is_taken_out() -> None:
    assert stream_of([b" opa", b"que", b"12"], 1, 1, 1) == [b"", b"", b"", lines_of(b" {{secret:key#1}}", b"", b"")]
    assert stream_of([b" opaque12 "], 1) == [lines_of(b" {{secret:key#1}} "), b""]
    assert stream_of([b"\\nopaque12\\n"], 1) == [lines_of(b"\\n{{secret:key#1}}\\n"), b""]


def test_many_words_that_wait_take_the_long_way() -> None:
    words = [b"-----BEGIN", *[b" words" * 9] * 8]
    assert stream_of(words, *[1] * 9) == [*[b""] * 9, lines_of(*words)]


def test_frames_behind_those_that_wait_keep_their_order() -> None:
    stream = Stream(1, redactor(), 8192, 1 << 20, None)
    ping = b": ping\n\n"
    assert b"".join(stream.feed(FRAME)) == line(FRAME)
    assert b"".join(stream.feed(BEFORE + b" opa" + AFTER, ping)) == b""
    assert b"".join(stream.feed(BEFORE + b"l" + AFTER)) == lines_of(b" opa") + line(ping) + lines_of(b"l")


def test_what_is_learned_meanwhile_is_looked_for_in_what_waits() -> None:
    shared = Secrets()
    stream = Stream(1, Redactor(shared, b"/", HEADERS), 8192, 1 << 20, None)
    assert b"".join(stream.feed(FRAME)) == line(FRAME)
    assert b"".join(stream.feed(BEFORE + b" new-secret-1 opa" + AFTER)) == b""
    Redactor(shared, b"/", ((b"api-key", b"new-secret-1"),))
    assert b"".join(stream.feed(BEFORE + b"l" + AFTER)) == lines_of(b" {{secret:key#2}} opa", b"l")
