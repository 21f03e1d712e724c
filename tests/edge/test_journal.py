import errno
import os
from pathlib import Path

import pytest

from wiretape.edge.journal import Journal, Written
from wiretape.errors import CassetteError, CassetteLocked


def whole(journal: Journal) -> bytes:
    source = journal.source()
    return source.read(0, source.size)


def test_what_is_appended_is_in_the_file(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "deep" / "a.part.jsonl")
    assert journal.append(b"one\n") == Written(4)
    assert journal.append(b"two\n") == Written(4)
    assert journal.sync() is None
    assert whole(journal) == (tmp_path / "deep" / "a.part.jsonl").read_bytes() == b"one\ntwo\n"
    journal.remove()
    assert not list((tmp_path / "deep").iterdir())


def test_the_file_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    Journal.open(tmp_path / "deep" / "a").close()
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "deep", tmp_path / "deep" / "a")] == [
        "0o700",
        "0o600",
    ]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    first = Journal.open(tmp_path / "a")
    with pytest.raises(CassetteLocked, match="another process records to this cassette"):
        Journal.open(tmp_path / "a")
    first.close()
    Journal.open(tmp_path / "a").close()


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for path in (tmp_path, tmp_path / "link", tmp_path / "target" / "below"):
        with pytest.raises(CassetteError, match="cannot be opened for recording"):
            Journal.open(path)


@pytest.mark.parametrize("gone", [True, False])
def test_a_journal_that_another_sealed_in_between_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    path = tmp_path / "a"
    lock, calls = __import__("fcntl").flock, []

    def seal_first(descriptor: int, how: int) -> None:
        lock(descriptor, how)
        if not calls:
            path.unlink()
            if not gone:
                path.write_bytes(b"")
        calls.append(descriptor)

    monkeypatch.setattr("fcntl.flock", seal_first)
    journal = Journal.open(path)
    journal.append(b"kept\n")
    assert (path.read_bytes(), len(calls)) == (b"kept\n", 2)
    journal.close()


@pytest.mark.parametrize("room", range(9))
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    journal = Journal.open(tmp_path / "a")
    journal.append(b"first\n")
    write, left = os.pwrite, [room]

    def short(descriptor: int, data: bytes, offset: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(left[0], 3, len(data))
        left[0] -= taken
        return write(descriptor, data[:taken], offset)

    monkeypatch.setattr(os, "pwrite", short)
    written = journal.append(b"abc\ndef\ngh\n")
    assert written.kept == room // 4 * 4
    assert written.error is not None
    assert whole(journal) == b"first\n" + b"abc\ndef\ngh\n"[: written.kept]
    monkeypatch.undo()
    journal.append(b"last\n")
    assert (tmp_path / "a").read_bytes() == b"first\n" + b"abc\ndef\ngh\n"[: written.kept] + b"last\n"
    journal.close()


def test_a_sync_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "a")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    error = journal.sync()
    assert error is not None
    assert error.errno == errno.EIO
    journal.close()


def test_a_disk_that_cannot_even_cut_back_still_gives_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path / "a")

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", fail)
    monkeypatch.setattr(os, "ftruncate", fail)
    written = journal.append(b"abc\n")
    assert written.kept == 0
    assert written.error is not None
    journal.close()


def test_a_journal_takes_no_more_than_a_reader_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "a", 8)
    assert journal.append(b"1234567\n") == Written(8)
    written = journal.append(b"\n")
    assert written.error is not None
    assert written.error.errno == errno.EFBIG
    monkeypatch.setattr("wiretape.edge.journal.CASSETTE_BYTES_MAX", 4)
    with pytest.raises(CassetteError, match="over 4 bytes"):
        whole(journal)
    journal.close()
