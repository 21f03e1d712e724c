import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.tapes import STREAM, journal, only, request, resealed, sealed, taken, tape
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.reader import good_bytes, read
from wiretape.cassette.rules import Rules
from wiretape.errors import CassetteError
from wiretape.exchange import How

FRAMES = [b'event: a\ndata: {"id":"run_abc123"}\n\n', b": keep-alive\n\n", b"data: [DONE]\n\n"]
LINES = [
    taken(request("POST"), b'{"a":1}', chunks=[b'{"id":"thread_abc123"}']),
    taken(request("POST", "/v1/threads/thread_abc123/runs"), headers=STREAM, chunks=FRAMES, index=2),
    taken(request("GET", "/é", at_ms=9), chunks=[b"\xff\x00"], how=How.UPSTREAM_FAILED, index=3),
]
JOURNAL = journal(*LINES)
SEALED = sealed(tape(*LINES))


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


TAPE = line(k="tape", v=1)
REQ = line(k="req", i=1, m="GET", u="/")


def test_a_journal_and_its_sealed_file_hold_the_same() -> None:
    assert replace(resealed(tape(*LINES)), ids={}) == read(JOURNAL, "j", journal=True)


def interleaved() -> bytes:
    first, second = LINES[0], LINES[1]
    lines = [first[0], second[0], second[1], first[1], second[2], first[2], *second[3:]]
    return journal(lines)


def test_interactions_may_interleave() -> None:
    assert read(interleaved(), "j") == tape(*LINES[:2])


@given(st.integers(0, len(interleaved())))
def test_a_journal_cut_anywhere_keeps_every_interaction_that_had_ended(size: int) -> None:
    whole = interleaved()
    torn = whole[:size]
    if b"\n" not in torn:
        return
    content = read(torn, "j", journal=True)
    kept = {one.index for one in content.interactions if one.how is Ended.COMPLETE}
    assert kept == {index for index in (1, 2) if b'{"k":"end","i":%d' % index in torn[: good_bytes(torn)]}
    assert all(one in tape(*LINES).interactions for one in content.interactions if one.how is Ended.COMPLETE)


@given(st.integers(0, len(interleaved())))
def test_what_is_cut_back_can_be_appended_to(size: int) -> None:
    torn = interleaved()[:size]
    good = torn[: good_bytes(torn)]
    assert good_bytes(good) == len(good)
    if good:
        more = good.removesuffix(b"\n") + b"\n" + b"".join(taken(request("PUT"), index=9))
        assert read(more, "j", journal=True).interactions[-1].method == "PUT"


def test_a_last_line_that_lacks_only_its_line_end_is_whole() -> None:
    assert good_bytes(JOURNAL[:-1]) == len(JOURNAL) - 1
    assert read(JOURNAL[:-1], "j", journal=True) == read(JOURNAL, "j")


def test_an_open_interaction_is_closed_as_cut_by_the_recorder() -> None:
    content = read(journal(LINES[1][:-1]), "j", journal=True)
    one = only(content)
    assert (one.how, one.body, one.playable) == (Ended.RECORDER, b"".join(FRAMES), False)
    assert content.notes == ("Interaction 2 has no end: it is taken as cut by the recorder.",)
    assert content.incomplete == 1


def test_an_interaction_without_an_answer_has_no_status() -> None:
    assert only(read(TAPE + REQ, "j")) == Interaction(index=1, method="GET", target="/")


def test_a_later_request_line_replaces_the_earlier() -> None:
    again = line(k="req", i=1, m="GET", u="/", text="all of it")
    content = read(TAPE + REQ + again + line(k="end", i=1, how="complete"), "j")
    assert only(content).request_body == b"all of it"


def test_unknown_kinds_keys_and_blank_lines_are_ignored() -> None:
    strange = line(k="rules", ignore=["$.a"]) + b"\n" + line(k="end", i=1, how="complete", later={"x": 1})
    assert only(read(TAPE + REQ + strange, "j")).how is Ended.COMPLETE


def test_the_first_line_says_who_and_when() -> None:
    data = line(k="tape", v=1, by="a", recorded="b", upstream="c", rules=[])
    assert read(data, "j") == Tape(header=Header(by="a", recorded="b", upstream="c"))


@pytest.mark.parametrize("change", [(b'"a":1', b'"a":2'), (b'"id":"{{run#1}}"', b'"id":"x"'), (b'"n":22', b'"n":23')])
def test_an_edited_body_is_noted_and_edited_requests_are_not(change: tuple[bytes, bytes]) -> None:
    notes = read(SEALED.replace(*change), "j").notes
    assert [note.endswith("`sha` and `n` were made of.") for note in notes] == ([] if change[0] == b'"a":1' else [True])


def test_sealing_again_takes_an_edit_for_good() -> None:
    edited = read(SEALED.replace(b'"id":"{{run#1}}"', b'"id":"x"'), "j")
    assert resealed(edited).notes == ()
    assert resealed(edited).interactions == edited.interactions


@pytest.mark.parametrize(
    ("data", "where", "reason"),
    [
        (b"", 1, "no cassette begins here"),
        (REQ, 1, "no cassette begins here"),
        (line(k="rules"), 1, "no cassette begins here"),
        (line(k="tape", v=2), 1, "version 2"),
        (line(k="tape"), 1, "required field `v`"),
        (TAPE + TAPE, 2, "second cassette"),
        (TAPE + b"<<<<<<< HEAD\n", 2, "malformed"),
        (TAPE + REQ[:-9], 2, "truncated"),
        (TAPE + line(k="end", i=1, how="complete"), 2, "not open here"),
        (TAPE + line(k="res", i=1, s=200), 2, "not open here"),
        (TAPE + REQ + line(k="end", i=1, how="complete") + REQ, 4, "has ended already"),
        (TAPE + REQ + line(k="end", i=1, how="exploded"), 3, "exploded"),
        (TAPE + REQ + line(k="res", i=1, s=20), 3, ">= 200"),
        (TAPE + REQ + line(k="ev", i=1), 3, "needs `d`, `raw` or `b64`"),
        (TAPE + REQ + line(k="res", i=1, s=200, h=[["a", "b\r\nc: d"]]), 3, "may not stand in one"),
        (TAPE + REQ + line(k="res", i=1, s=200, h=[["a", "→"]]), 3, "latin-1"),
        (TAPE + line(k="req", i=1, m="GET /", u="/"), 2, "can be no method"),
        (TAPE + line(k="req", i=1, m="GET", u="/ HTTP/1.1\r\n"), 2, "can be no target"),
        (TAPE + line(k="req", i=1, m="GET", u="/", b64="?"), 2, ""),
        (TAPE + line(k="req", i=1, m="GET", u="/", file="../../etc/passwd"), 2, "64 hex digits were expected"),
        (TAPE + line(k="req", i=1, m="GET", u="/", file="0" * 64), 2, "nothing lies beside"),
        (TAPE + b'{"k":"x","a":' + b"[" * 5000 + b"]" * 5000 + b"}\n", 2, "too deep"),
        (TAPE + b'{"k":"x\xff"}\n', 2, ""),
        (line(k="tape", v=1, ids={"a#1": "x" * 300}), 1, "length"),
    ],
)
def test_a_damaged_line_is_named_by_its_number(data: bytes, where: int, reason: str) -> None:
    with pytest.raises(CassetteError, match=rf"^talks/x\.tape\.jsonl, line {where}: .*") as caught:
        read(data, "talks/x.tape.jsonl")
    assert reason in str(caught.value)


@given(st.data())
def test_a_hostile_cassette_is_read_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SEALED)))
    length = data.draw(st.integers(0, 40))
    hostile = SEALED[:at] + data.draw(st.binary(max_size=40) | st.text().map(str.encode)) + SEALED[at + length :]
    try:
        content = read(hostile, "j", journal=data.draw(st.booleans()))
    except CassetteError:
        return
    assert isinstance(content, Tape)
    sealed(content)


fields = st.fixed_dictionaries(
    {"k": st.sampled_from(["tape", "req", "res", "ev", "end", "x"])},
    optional={
        name: st.none() | st.integers() | st.text() | st.lists(st.lists(st.text(), max_size=2)) | st.sampled_from(good)
        for name, good in {
            "v": [1], "i": [1, 2], "m": ["GET"], "u": ["/"], "s": [200], "how": ["complete"], "h": [[["a", "b"]]],
            "json": [{}], "style": ["indent2"], "text": ["x"], "b64": ["eA=="], "d": [{}], "raw": ["x"], "ch": [[[1,
            2]]],
        }.items()
    },
)  # fmt: skip


@given(st.lists(fields.map(lambda found: line(**found)), max_size=6))
@example([b'{"k":"req","i":1,"m":"GET","u":"/","style":"python","json":' + b"1" * 5000 + b"}\n"])
def test_hostile_lines_are_read_or_refused(lines: list[bytes]) -> None:
    with contextlib.suppress(CassetteError):
        sealed(read(TAPE + b"".join(lines), "j"))


def test_the_longest_ids_that_get_an_alias_are_read_again_however_often_they_stand_there() -> None:
    ids = ["rs_" + "a1" * 100] * 300
    body = b",".join(one.encode() for one in ids)
    assert only(resealed(tape(taken(request("POST"), chunks=[body])))).body == body


def test_aliases_that_expand_to_far_more_than_the_file_are_refused() -> None:
    bomb = (
        b'{"k":"tape","v":1,"ids":{"a":"' + b"x" * 256 + b'"}}\n' + line(k="req", i=1, m="GET", u="/" + "{{a}}" * 9999)
    )
    with pytest.raises(CassetteError, match="line 2: the aliases up to here expand to far more than the file"):
        read(bomb, "x")


def test_rules_of_the_first_line_are_read_and_written_again() -> None:
    line = b'{"k":"tape","v":1,"match":{"ignore":["a"],"normalise":{"b":"uuid"},"later":1}}\n'
    read_once = read(line, "x")
    assert read_once.header.match == Rules(ignore=("a",), normalise={"b": "uuid"})
    assert read(sealed(read_once), "x").header.match == read_once.header.match


@pytest.mark.parametrize("match", [b'{"ignore":["a["]}', b'{"normalise":{"a":"colour"}}', b'{"ignore":"a"}', b"[]"])
def test_rules_that_are_wrong_are_refused_by_line(match: bytes) -> None:
    with pytest.raises(CassetteError, match="x, line 1: "):
        read(b'{"k":"tape","v":1,"match":%b}\n' % match, "x")
