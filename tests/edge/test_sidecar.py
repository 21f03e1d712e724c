from pathlib import Path

import pytest
from msgspec.structs import replace

from support.tapes import JSON, KEY, request, resealed, taken, tape
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.match import Library
from wiretape.cassette.shelf import Shelf
from wiretape.edge import seal, sidecar, tapes
from wiretape.edge.names import index_path
from wiretape.edge.store import journal_path, load, seal_journal, tape_path, write_tape
from wiretape.errors import CassetteError

CONTENT = resealed(
    tape(
        taken(request("POST", headers=((b"api-key", KEY),)), b'{"a":1}', chunks=[b'{"id":"thread_abc123"}']),
        taken(request("GET", "/v1/threads/thread_abc123"), chunks=[b'{"id":"thread_abc123"}'], index=2),
    )
)
CONTENT = replace(CONTENT, ids={"thread#1": "thread_abc123"})


@pytest.fixture(autouse=True)
def _every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapes, "INDEX_ABOVE_BYTES", 9)
    monkeypatch.setattr(seal, "INDEX_ABOVE_BYTES", 9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tape_path(tmp_path / "a")
    write_tape(CONTENT, path)
    return path


def loaded(path: Path) -> Tape:
    content = load(path)
    assert isinstance(content.interactions, Shelf)
    return content


def test_a_large_file_gets_an_index_when_it_is_loaded_and_the_next_time_needs_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loaded(path) == CONTENT
    assert oct(index_path(path).stat().st_mode & 0o777) == "0o600"
    monkeypatch.delattr(tapes, "_indexed")
    assert loaded(path) == CONTENT
    assert KEY not in index_path(path).read_bytes()


def test_sealing_writes_the_index_that_loading_would_make(tmp_path: Path, path: Path) -> None:
    journal_path(tmp_path / "a").write_bytes(path.read_bytes())
    seal_journal(tmp_path / "a", over=True)
    made = index_path(path).read_bytes()
    index_path(path).unlink()
    loaded(path)
    assert index_path(path).read_bytes() == made


def test_a_damaged_index_is_made_anew_whatever_byte_is_another(path: Path) -> None:
    loaded(path)
    made = index_path(path).read_bytes()
    for place in range(0, len(made), 7):
        index_path(path).write_bytes(made[:place] + bytes([made[place] ^ 0x40]) + made[place + 1 :])
        assert loaded(path) == CONTENT
        assert index_path(path).read_bytes() == made


@pytest.mark.parametrize("stale", [b"", b"no", b"\x80"])
def test_an_index_that_is_none_is_made_anew(path: Path, stale: bytes) -> None:
    index_path(path).write_bytes(stale)
    assert loaded(path) == CONTENT
    assert len(index_path(path).read_bytes()) > 100


def test_an_index_of_another_file_or_version_is_made_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(path)
    path.write_bytes(path.read_bytes().replace(b'"a":1', b'"a":2'))
    assert loaded(path).interactions[0].request_body == b'{"a":2}'
    monkeypatch.setattr(sidecar, "_MADE_BY", "newer")
    assert sidecar.read_index(path, tapes.opened(path)) is None


def test_notes_are_kept_in_the_index(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"n":22', b'"n":23', 1) + b"<<<<<<<\n")
    for _ in range(2):
        assert [note[:10] for note in loaded(path).notes] == ["Line 8: JS", "Interactio"]


def test_a_folder_that_takes_no_index_is_no_reason_to_fail(path: Path) -> None:
    index_path(path).mkdir()
    assert loaded(path) == CONTENT


def test_a_large_journal_is_read_when_asked_for_and_gets_no_index(tmp_path: Path, path: Path) -> None:
    journal = journal_path(tmp_path / "b")
    journal.write_bytes(path.read_bytes() + b'{"k":"re')
    assert loaded(journal) == CONTENT
    assert not index_path(journal).exists()


def test_an_id_from_outside_is_bound_although_nothing_but_the_answer_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [(f"/v1/threads/{number}/runs", b'{"assistant_id":"asst_recorded1"}') for number in range(3)]
    made = (
        taken(request("POST", target, JSON), body, chunks=[b'{"id":"run_abc12%d"}' % at], index=at)
        for at, (target, body) in enumerate(asked, 1)
    )
    path = tape_path(tmp_path / "outside")
    write_tape(tape(*made), path)
    read: list[int] = []
    at_hand = Shelf._at
    monkeypatch.setattr(Shelf, "_at", lambda self, position: read.append(position) or at_hand(self, position))
    for _ in range(2):
        cursor = Library([loaded(path)]).session("x")
        found = cursor.find(request("POST", "/v1/threads/1/runs", JSON), b'{"assistant_id":"asst_another2"}')
        assert isinstance(found, Interaction)
        assert found.body == b'{"id":"run_abc122"}'
        assert set(read) == {1}


def test_a_file_that_is_replaced_while_it_is_open_is_read_on(path: Path) -> None:
    content = loaded(path)
    write_tape(Tape(header=CONTENT.header), path)
    assert content == CONTENT


def test_a_file_that_is_edited_in_place_while_it_is_open_is_refused(path: Path) -> None:
    library = Library([loaded(path)])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CassetteError, match=r"a\.tape\.jsonl, line"):
        library.session("x").find(request("POST", headers=((b"api-key", KEY),)), b'{"a":1}')
