import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.tapes import HEADER, STREAM, journal, request, resealed, sealed, taken, tape
from wiretape.cassette.format import Ended, Header, Tape, header_line, joined, render
from wiretape.cassette.forms import BLOB_ABOVE_BYTES, nothing_beside
from wiretape.cassette.reader import Reading, read
from wiretape.cassette.scan import Held, scan
from wiretape.cassette.sealing import Piece, Sealing
from wiretape.cassette.shelf import Shelf
from wiretape.errors import CassetteError
from wiretape.exchange import How

FRAMES = [b'event: a\ndata: {"id":"run_abc123"}\n\n', b": keep-alive\n\n", b"data: [DONE]\n\n"]
LONG = b'{"id":"thread_long12","t":"' + b"x" * BLOB_ABOVE_BYTES + b'"}'
LINES = [
    taken(request("POST"), b'{"a":1}', chunks=[b'{"id":"thread_abc123"}']),
    taken(request("POST", "/v1/threads/thread_abc123/runs"), headers=STREAM, chunks=FRAMES, index=2),
    taken(request("GET", "/\u00e9", at_ms=9), chunks=[b"\xff\x00"], how=How.UPSTREAM_FAILED, index=3),
    taken(request("POST", "/long"), LONG, chunks=[LONG], index=4),
]
NEWER = Header(by="newer", recorded="2026-11-23T03:00:07Z", upstream="https://api.example.com", id="5ca1ab1e")


class Beside(dict[str, bytes]):
    """What lies beside a cassette."""

    def keep(self, name: str, body: bytes) -> None:
        self[name] = body

    def fetch(self, name: str) -> bytes:
        return self[name]


def piece(data: bytes, beside: Beside | None = None) -> Piece:
    source = Held(data)
    fetch = nothing_beside if beside is None else beside.fetch
    return Piece(Reading(source, scan(source, "a.part.jsonl", journal=True), fetch), "a.part.jsonl")


def together(*parts: bytes) -> bytes:
    return b"".join(Sealing([piece(one) for one in parts], Beside().keep).lines())


def later(*exchanges: list[bytes], header: Header = NEWER) -> bytes:
    return header_line(header) + b"".join(line for lines in exchanges for line in lines)


def interleaved() -> bytes:
    first, second, third, _ = LINES
    return journal([first[0], second[0], third[0], second[1], first[1], second[2], first[2], *third[1:], *second[3:]])


@given(st.integers(0, len(interleaved())))
def test_a_journal_torn_anywhere_is_sealed_line_by_line_as_its_tape_is_rendered(size: int) -> None:
    torn = interleaved()[:size]
    if b"\n" not in torn:
        return
    assert together(torn) == sealed(read(torn, "j", journal=True))


@given(
    st.lists(st.sampled_from(["run_abc123", '"', "\n", "\\n", "thread_x1y2z3", " ", "{{", "\u00e9", "b64"]), max_size=9)
)
def test_ids_in_frames_are_seen_in_order_however_the_frames_are_written(parts: list[str]) -> None:
    text = "".join(parts)
    frames = [b"data: " + json.dumps({"b64": text, "t": text}).encode() + b"\n\n", b": " + text.encode() + b"\n\n"]
    data = journal(taken(request(), headers=STREAM, chunks=frames))
    assert together(data) == sealed(read(data, "j")) == together(together(data))


def test_the_same_journal_gives_the_same_bytes_and_so_does_sealing_again() -> None:
    once = together(interleaved())
    assert together(interleaved()) == once == together(once)


def test_a_long_body_lies_beside_the_cassette_under_its_hash_to_the_byte() -> None:
    beside = Beside()
    content = tape(*LINES)
    data = b"".join(render(content, beside.keep))
    assert data == b"".join(Sealing([piece(journal(*LINES))], beside.keep).lines())
    assert beside == {hashlib.sha256(LONG).hexdigest(): LONG}
    assert len(data) < len(LONG)
    assert replace(read(data, "j", fetch=beside.fetch), ids={}) == content
    assert b"".join(Sealing([piece(data, beside)], Beside().keep).lines()) == data


def test_an_entry_finds_its_interaction_again() -> None:
    beside = Beside()
    sealing = Sealing([piece(journal(*LINES))], beside.keep)
    source = Held(b"".join(sealing.lines()))
    reading = Reading(source, scan(source, "s"), beside.fetch)
    shelf = Shelf(reading.shelved, sealing.entries, "s", sealing.foreign)
    assert shelf == resealed(tape(*LINES)).interactions
    assert [one.path for one in sealing.entries] == [one.path for _, one in reading]
    assert sealing.ids == reading.scan.ids


def test_a_recording_that_goes_on_is_added_behind_what_is_there() -> None:
    both = read(together(journal(*LINES[:2]), later(taken(request(at_ms=5)))), "s")
    assert [(one.index, one.t0_ms) for one in both.interactions] == [(1, 0), (2, 0), (3, 7005)]
    assert (both.header.by, both.header.recorded, both.header.id) == ("newer", HEADER.recorded, NEWER.id)


def test_a_recording_that_was_added_already_is_not_added_again() -> None:
    more = later(taken(request("POST")))
    once = together(journal(LINES[0]), more)
    assert together(once, more) == once
    other = later(taken(request("POST")), header=replace(NEWER, id="0ther"))
    assert len(read(together(once, other), "s").interactions) == 3


@pytest.mark.parametrize("recorded", ["", "yesterday", "2026-11-23T02:00:00Z"])
def test_an_unknown_or_earlier_time_moves_nothing(recorded: str) -> None:
    then = later(taken(request("POST", at_ms=3)), header=Header(recorded=recorded))
    assert read(together(journal(LINES[0]), then), "s").interactions[1].t0_ms == 3


def test_nothing_added_changes_nothing_but_the_writer() -> None:
    both = read(together(journal(LINES[0]), header_line(HEADER)), "s")
    assert replace(both, ids={}) == Tape(header=HEADER, interactions=tape(LINES[0]).interactions)


def test_where_there_are_frames_a_body_beside_them_does_not_count() -> None:
    head = LINES[1][1].replace(b'"h"', b'"file":"' + b"0" * 64 + b'","h"')
    data = journal([LINES[1][0], head, *LINES[1][2:]])
    assert read(data, "j").interactions[0].body == b"".join(FRAMES)
    assert together(data) == together(journal(LINES[1]))


def test_what_was_open_counts_as_incomplete() -> None:
    sealing = Sealing([piece(journal(LINES[1][:-1], LINES[0]))], Beside().keep)
    content = read(b"".join(sealing.lines()), "s")
    assert sealing.incomplete == 1
    assert [one.how for one in content.interactions] == [Ended.COMPLETE, Ended.RECORDER]


def test_frames_without_a_head_are_no_answer() -> None:
    data = journal([LINES[1][0], *LINES[1][2:]])
    assert together(data) == sealed(read(data, "j"))
    assert read(data, "j").interactions[0].body == b""


@pytest.mark.parametrize("line", [b"<<<<<<<\n", b'{"k":"res","i":1,"s":5}\n', b'{"k":"ev","i":1}\n'])
def test_a_journal_with_a_damaged_line_is_not_sealed(line: bytes) -> None:
    data = journal([*LINES[0][:2], line, LINES[0][2]])
    with pytest.raises(CassetteError, match=r"^a\.part\.jsonl, line 4: "):
        together(data)


def test_what_is_at_odds_with_its_blob_is_not_sealed() -> None:
    beside = Beside()
    data = b"".join(render(tape(LINES[3]), beside.keep))
    beside[next(iter(beside))] = LONG[:-1]
    with pytest.raises(CassetteError, match=r"line 2: the blob .* its hash is another"):
        b"".join(Sealing([piece(data, beside)], Beside().keep).lines())


def test_an_entry_is_small() -> None:
    sealing = Sealing([piece(journal(*LINES))], Beside().keep)
    list(sealing.lines())
    assert len(msgspec.msgpack.encode(sealing.entries[0])) < 200


def test_tapes_are_joined_as_files_are() -> None:
    first, then = tape(*LINES[:2]), read(later(taken(request(at_ms=5))), "j")
    both = joined(first, then)
    assert sealed(both) == together(journal(*LINES[:2]), later(taken(request(at_ms=5))))
    assert joined(both, then) == both
