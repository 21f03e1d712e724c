import pytest
from msgspec.structs import replace

from support.tapes import request, sealed, taken, tape
from wiretape.cassette.format import Interaction
from wiretape.cassette.forms import nothing_beside
from wiretape.cassette.match import Library
from wiretape.cassette.reader import Reading, read
from wiretape.cassette.scan import Held, scan
from wiretape.cassette.shelf import Row, Shelf, entries_of, entry_of
from wiretape.errors import CassetteError
from wiretape.exchange import How

LINES = [
    taken(request("POST"), b"12345", chunks=[b"1234567890"]),
    taken(request("GET", "/cut"), chunks=[b"x"], index=2, how=How.CANCELLED),
    taken(request("GET", "/a?b"), chunks=[b"1234567890"], index=3),
    taken(request("GET", "/c"), chunks=[b"1234567890"], index=4),
]
DATA = sealed(tape(*LINES))
WHOLE = read(DATA, "s").interactions


class Counting(Held):
    reads = 0

    def read(self, start: int, end: int) -> bytes:
        self.reads += 1
        return super().read(start, end)


def shelf(source: Held, cache_bytes_max: int = 1000) -> Shelf:
    reading = Reading(source, scan(source, "s"), nothing_beside)
    entries = [entry_of(one, strip) for strip, one in reading]
    return Shelf(reading.shelved, entries, "a.tape.jsonl", (), cache_bytes_max)


def test_a_shelf_gives_what_the_file_holds() -> None:
    found = shelf(Held(DATA))
    assert found == WHOLE
    assert found[1:3] == WHOLE[1:3]
    assert found != WHOLE[1:]
    assert found != 3
    assert len(found) == 4
    assert entries_of(found) is found.entries
    assert [replace(one, places=b"") for one in found.entries] == entries_of(WHOLE)


def test_what_was_read_is_kept_at_hand_within_a_bound() -> None:
    source = Counting(DATA)
    found = shelf(source, 26)
    for positions, reads in ((0, 3), (0, 0), (2, 3), (0, 0), (3, 3), (2, 3)):
        before = source.reads
        found[positions]
        assert source.reads - before == reads


def test_a_file_that_changed_under_us_is_not_served() -> None:
    for edit in ((b'"GET"', b'"PUT"'), (b'{"k":"end"', b'{"k":"e!"  ')):
        source = Held(DATA)
        found = shelf(source)
        source._data = DATA.replace(*edit)
        with pytest.raises(CassetteError, match=r"^a\.tape\.jsonl"):
            list(found)


@pytest.mark.parametrize("places", [b"", b"x" * 40, b"x" * 64, b"\0" * 47])
def test_places_that_no_such_file_has_are_refused(places: bytes) -> None:
    good = shelf(Held(DATA))
    bad = Shelf(good._shelved, [replace(good.entries[0], places=places)], "a.tape.jsonl", ())
    with pytest.raises(CassetteError, match=r"a\.tape\.jsonl: changed"):
        _ = bad[0]


def test_a_row_holds_what_can_be_played_of_several() -> None:
    row = Row([shelf(Held(DATA)), (), WHOLE])
    playable = [one for one in WHOLE if one.playable]
    assert list(row) == playable * 2
    assert row[2:4] == tuple((playable * 2)[2:4])
    assert [row.entry(at).target for at in range(len(row))] == [one.target for one in playable * 2]
    assert [one.path for one in row.entries] == [one.path for one in playable * 2]
    for beyond in (6, -1):
        with pytest.raises(IndexError):
            row[beyond]


def test_a_library_of_shelves_answers_as_one_of_tapes() -> None:
    content = tape(*LINES)
    for interactions in (content.interactions, shelf(Held(DATA))):
        cursor = Library([replace(content, interactions=interactions)]).session("x")
        found = cursor.find(request("GET", "/c"), b"")
        assert isinstance(found, Interaction)
        assert found.target == "/c"
        assert [one.target for one in cursor.unplayed()] == ["/v1/threads", "/a?b"]
