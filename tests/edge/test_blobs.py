import errno
import os
from pathlib import Path

import pytest

from support.tapes import HEADER, JSON, request, taken, tape
from wiretape.cassette.format import header_line
from wiretape.cassette.forms import BLOB_ABOVE_BYTES
from wiretape.edge import blobs
from wiretape.edge.blobs import Blobs
from wiretape.edge.names import blobs_path
from wiretape.edge.store import journal_path, load, seal_journal, tape_path, write_tape
from wiretape.errors import CassetteError

LONG = b"[" + b"1," * BLOB_ABOVE_BYTES + b"1]"
NAME = "a" * 64


def beside(stem: Path) -> list[Path]:
    folder = blobs_path(tape_path(stem))
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_blob_is_the_owners_alone_and_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Blobs(tmp_path / "a.blobs")
    box.keep(NAME, LONG)
    assert box.fetch(NAME) == LONG
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "a.blobs", tmp_path / "a.blobs" / NAME)] == [
        "0o700",
        "0o600",
    ]
    box.sync()
    monkeypatch.delattr(os, "replace")
    monkeypatch.delattr(os, "fsync")
    box.keep(NAME, LONG)
    box.sync()


def test_a_blob_that_is_damaged_is_written_again(tmp_path: Path) -> None:
    box = Blobs(tmp_path)
    (tmp_path / NAME).write_bytes(LONG[:-1] + b"x")
    box.keep(NAME, LONG)
    assert box.fetch(NAME) == LONG


def test_what_is_no_blob_of_ours_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(b"x" * 9)
    (tmp_path / NAME).symlink_to(tmp_path / "secret")
    (tmp_path / ("b" * 64)).mkdir()
    for name in (NAME, "b" * 64, "c" * 64):
        with pytest.raises(ValueError, match="cannot be read: "):
            Blobs(tmp_path).fetch(name)
    monkeypatch.setattr(blobs, "BLOB_BYTES_MAX", 4)
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).write_bytes(b"x" * 9)
    assert Blobs(tmp_path).fetch(NAME) == b"x" * 4


def test_a_sweep_takes_what_is_ours_and_not_named(tmp_path: Path) -> None:
    folder = tmp_path / "a.blobs"
    box = Blobs(folder)
    box.sweep(set())
    box.keep(NAME, b"1")
    box.keep("b" * 64, b"2")
    (folder / f".{NAME}.123").touch()
    (folder / "notes.txt").touch()
    box.sweep({NAME})
    assert sorted(path.name for path in folder.iterdir()) == [NAME, "notes.txt"]
    (folder / "notes.txt").unlink()
    box.sweep(set())
    assert not folder.exists()


def test_a_sweep_takes_nothing_where_a_link_leads(tmp_path: Path) -> None:
    Blobs(tmp_path / "a.blobs").keep(NAME, LONG)
    (tmp_path / "b.blobs").symlink_to(tmp_path / "a.blobs")
    Blobs(tmp_path / "b.blobs").sweep(())
    assert Blobs(tmp_path / "a.blobs").fetch(NAME) == LONG


def test_a_long_body_survives_recording_sealing_and_loading(tmp_path: Path) -> None:
    stem = tmp_path / "a"
    box = Blobs(blobs_path(journal_path(stem)))
    lines = taken(request("POST", headers=JSON), LONG, chunks=[LONG, b" "], keep=box.keep)
    assert sum(map(len, lines)) < 2000
    box.keep(NAME, b"left by a crash")
    journal_path(stem).write_bytes(header_line(HEADER) + b"".join(lines))
    (one,) = load(journal_path(stem)).interactions
    assert (one.request_body, one.body) == (LONG, LONG + b" ")
    seal_journal(stem)
    assert load(tape_path(stem)).interactions == (one,)
    assert len(beside(stem)) == 2
    journal_path(stem).write_bytes(header_line(HEADER) + b"".join(taken(request())))
    seal_journal(stem, over=True)
    assert beside(stem) == []


def test_an_imported_tape_has_its_long_bodies_beside_it(tmp_path: Path) -> None:
    content = tape(taken(request("POST"), LONG, chunks=[LONG]))
    write_tape(content, tape_path(tmp_path / "a"))
    assert load(tape_path(tmp_path / "a")) == content
    assert len(beside(tmp_path / "a")) == 1


@pytest.mark.parametrize("damage", ["gone", "short", "other"])
def test_a_blob_that_is_not_what_was_recorded_is_never_served(tmp_path: Path, damage: str) -> None:
    path = tape_path(tmp_path / "a")
    write_tape(tape(taken(request("POST"), chunks=[LONG]), taken(request("GET"), chunks=[b"{}"], index=2)), path)
    (blob,) = beside(tmp_path / "a")
    if damage == "gone":
        blob.unlink()
    else:
        blob.write_bytes(LONG[:-1] + (b"" if damage == "short" else b"x"))
    content = load(path)
    assert [one.method for one in content.interactions] == ["GET"]
    assert content.notes[0].startswith(f"Line 3: the blob {'a.blobs/' if damage == 'gone' else ''}{blob.name}")
    journal_path(tmp_path / "a").write_bytes(header_line(HEADER))
    with pytest.raises(CassetteError, match=r"a\.tape\.jsonl, line 3: the blob"):
        seal_journal(tmp_path / "a")
    assert path.exists()


def test_a_disk_that_is_full_leaves_no_half_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    box = Blobs(tmp_path)
    box.keep(NAME, LONG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            box.sync()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for _ in range(2):
        box.sync()
    assert len(synced) == 3
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        box.keep("b" * 64, LONG)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
