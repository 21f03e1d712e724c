import errno
import os
from pathlib import Path

import pytest

from support.tapes import HEADER, WALL_NS, journal, request, taken, tape
from wiretape.cassette.format import Ended, header_line
from wiretape.cassette.show import Summary
from wiretape.edge import tapes
from wiretape.edge.journal import Journal
from wiretape.edge.names import cleaned
from wiretape.edge.seal import timestamp
from wiretape.edge.store import (
    Sealed,
    journal_path,
    listing,
    load,
    recorded,
    seal_journal,
    stem_of,
    tape_path,
    write_tape,
)
from wiretape.errors import CassetteError, CassetteLocked, ConfigError

FIRST, SECOND = taken(request("POST"), chunks=[b"{}"]), taken(request(at_ms=4), index=2)


@pytest.mark.parametrize(
    ("name", "sealed"),
    [
        ("weather", "box/weather.tape.jsonl"),
        ("talks/weather", "talks/weather.tape.jsonl"),
        ("./weather", "weather.tape.jsonl"),
        ("weather.tape.jsonl", "weather.tape.jsonl"),
        ("talks/weather.tape.jsonl", "talks/weather.tape.jsonl"),
        ("talks/weather.part.jsonl", "talks/weather.tape.jsonl"),
        ("/box/weather", "/box/weather.tape.jsonl"),
        ("v1.2", "box/v1.2.tape.jsonl"),
    ],
)
def test_a_cassette_is_named_by_its_stem(name: str, sealed: str) -> None:
    stem = stem_of(name, Path("box"))
    assert tape_path(stem) == Path(sealed)
    assert journal_path(stem) == Path(sealed.replace(".tape.", ".part."))


@pytest.mark.parametrize("name", ["", ".", "..", "talks/", "a/..", "a\nb", "a\0b", ".tape.jsonl"])
def test_what_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="names no cassette"):
        stem_of(name, Path("box"))


def test_a_tape_is_written_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.tape.jsonl"
    content = tape(FIRST, SECOND)
    assert write_tape(content, path) == Sealed(path, 2, 0)
    assert load(path) == content
    assert [oct(found.stat().st_mode & 0o777) for found in (path.parent, path)] == ["0o700", "0o600"]
    assert list(path.parent.iterdir()) == [path]


def test_a_journal_is_loaded_with_its_torn_line_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.part.jsonl"
    path.write_bytes(journal(FIRST) + SECOND[0][:9])
    assert load(path) == tape(FIRST)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match=r"a\.tape\.jsonl: cannot be read: No such file"):
        load(tmp_path / "a.tape.jsonl")


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tape.jsonl"
    write_tape(tape(FIRST), path)
    monkeypatch.setattr(tapes, "CASSETTE_BYTES_MAX", 10)
    with pytest.raises(CassetteError, match="over 10 bytes"):
        load(path)


def test_a_tape_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tape.jsonl"
    write_tape(tape(FIRST), path)

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CassetteError, match="cannot be written: No space left on device"):
        write_tape(tape(FIRST, SECOND), path)
    assert load(path) == tape(FIRST)
    assert list(tmp_path.iterdir()) == [path]


def test_sealing_what_a_crash_left_closes_what_was_open(tmp_path: Path) -> None:
    stem = tmp_path / "a"
    journal_path(stem).write_bytes(journal(FIRST, SECOND[:-1]) + b'{"k":"end"')
    assert seal_journal(stem) == Sealed(tape_path(stem), 2, 1)
    assert [one.how for one in load(tape_path(stem)).interactions] == [Ended.COMPLETE, Ended.RECORDER]
    assert not journal_path(stem).exists()


def test_sealing_adds_to_a_cassette_that_is_there_and_only_once(tmp_path: Path) -> None:
    stem = tmp_path / "a"
    write_tape(tape(FIRST), tape_path(stem))
    left = journal(taken(request("PUT"))).replace(b'"ids"', b'"id":"5ca1ab1e","ids"', 1)
    for _ in range(2):
        journal_path(stem).write_bytes(left)
        assert seal_journal(stem).interactions == 2
    journal_path(stem).write_bytes(journal(taken(request("PUT"))))
    assert seal_journal(stem, over=True).interactions == 1


def test_sealing_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="there is no journal to seal"):
        seal_journal(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_journal_that_is_recorded_to_is_not_sealed(tmp_path: Path) -> None:
    held = Journal.open(journal_path(tmp_path / "a"))
    with pytest.raises(CassetteLocked):
        seal_journal(tmp_path / "a")
    held.close()


def test_a_journal_that_cannot_be_sealed_stays(tmp_path: Path) -> None:
    stem = tmp_path / "a"
    journal_path(stem).write_bytes(header_line(HEADER) + b"<<<<<<<\n" + FIRST[0])
    for _ in range(2):
        with pytest.raises(CassetteError, match=r"a\.part\.jsonl, line 2"):
            seal_journal(stem)
    assert journal_path(stem).exists()


def test_a_listing_tells_of_every_cassette_and_of_those_it_cannot_read(tmp_path: Path) -> None:
    write_tape(tape(FIRST, SECOND), tmp_path / "talks" / "b.tape.jsonl")
    (tmp_path / "a.part.jsonl").write_bytes(journal(FIRST[:-1]))
    (tmp_path / "c.tape.jsonl").write_bytes(b"no")
    broken, open_one, whole = sorted(listing(tmp_path), key=lambda one: (not one.problem, one.name))
    assert (broken.name, broken.problem.partition(":")[0]) == ("c", f"{tmp_path}/c.tape.jsonl, line 1")
    assert (open_one.name, open_one.sealed, open_one.interactions, open_one.incomplete) == ("a", False, 1, 1)
    size = (tmp_path / "talks" / "b.tape.jsonl").stat().st_size
    assert whole == Summary(
        name="talks/b", interactions=2, bytes=size, recorded="2026-11-23T03:00:00Z", incomplete=0, sealed=True
    )


def test_a_cassette_is_played_with_its_sessions_and_its_parts(tmp_path: Path) -> None:
    own = tape_path(tmp_path / "w")
    assert recorded(tmp_path / "none" / "w") == [tape_path(tmp_path / "none" / "w")]
    assert recorded(tmp_path / "w") == [own]
    others = ["w.000002", "w@b", "w@a", "w@a.000001", "wo", "w.v2", "w@a@b"]
    for name in ("w", *others):
        tape_path(tmp_path / name).touch()
    found = [path.name.removesuffix(".tape.jsonl") for path in recorded(tmp_path / "w")]
    assert found == ["w", "w.000002", "w@a.000001", "w@a", "w@b"]
    assert recorded(tmp_path / "w@b") == [tape_path(tmp_path / "w@b")]


def test_a_time_is_written_in_utc_and_whole_seconds() -> None:
    assert timestamp(WALL_NS + 999_999_999) == "2026-11-23T03:00:00Z"


@pytest.mark.parametrize(
    ("upstream", "shown"),
    [
        ("https://u:p@h:8443/v1?key=x@y#z", "https://h:8443/v1"),
        ("https://u@v:p@w@h", "https://h"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("https://u:p/w@h", "https://"),
        ("sandbox", "sandbox"),
    ],
)
def test_an_upstream_is_named_without_what_may_be_secret_in_it(upstream: str, shown: str) -> None:
    assert cleaned(upstream) == shown
