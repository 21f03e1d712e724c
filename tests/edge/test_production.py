"""Recording can run for ever: parts, a sample, no words, and a disk that is full for a while."""

import errno
import os
from pathlib import Path

import pytest

from support.recordings import begun, wait_until_settled, wait_until_written, watched
from support.tapes import JSON, KEY, MS, STREAM, WALL_NS, request
from wiretape.cassette.forms import BLOB_ABOVE_BYTES
from wiretape.cassette.sample import is_taken
from wiretape.edge import parts
from wiretape.edge.parts import left_behind, next_part, overdue
from wiretape.edge.store import Recording, RecordOptions, journal_path, load, tape_path
from wiretape.exchange import Chunk, Head

S = 1000 * MS


def options(**settings: object) -> RecordOptions:
    return RecordOptions(**{"journal_lag_s": 0.001, **settings})  # type: ignore[arg-type] # one word for many settings


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob("w.*.tape.jsonl"))


def test_a_recording_with_a_limit_is_cut_into_parts_and_the_oldest_are_removed(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(max_bytes=20_000))
    for number in range(120):
        watched(recording.observer(request("POST", f"/v1/{number}")), [b"x" * 400])
        wait_until_written(recording)
    recording.seal()
    kept = numbered(tmp_path)
    assert names(tmp_path) == [path.name for path in kept]
    assert sum(path.stat().st_size for path in kept) <= 20_000
    assert recording.counts["parts_removed"] > 3
    assert recording.dropped == 0
    found = [one.target for path in kept for one in load(path).interactions]
    assert found == [f"/v1/{number}" for number in range(120 - len(found), 120)]
    assert len(found) > 10


def test_a_key_that_one_part_saw_is_looked_for_in_those_that_follow(tmp_path: Path) -> None:
    key = b"Kanari-env0gel-im-Bergwerk"
    recording = begun(tmp_path / "w", options(max_bytes=4000))
    for number in range(5):
        headers = () if number else ((b"Authorization", b"Bearer " + key),)
        watched(recording.observer(request("POST", headers=headers)), [b"%d %b" % (number, key) + b"x" * 400])
        wait_until_written(recording)
    recording.seal()
    found = [path.read_bytes() for path in numbered(tmp_path)]
    assert len(found) > 1
    assert all(key not in data and b"{{secret:bearer#1}}" in data for data in found)


def test_blobs_go_with_their_part(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(max_bytes=BLOB_ABOVE_BYTES * 4))
    for number in range(6):
        watched(recording.observer(request("POST", f"/v1/{number}")), [b"%d" % number * (BLOB_ABOVE_BYTES + 1)])
        watched(recording.observer(request("POST", "/small")), [b"x" * 40_000])
        wait_until_written(recording)
    recording.seal()
    kept = numbered(tmp_path)
    assert 0 < len(kept) < 6
    assert [path.name.replace(".tape.jsonl", ".blobs") for path in kept] == names_of(tmp_path, ".blobs")
    assert all(len(one.body) > BLOB_ABOVE_BYTES for path in kept for one in load(path).interactions[:1])
    assert not [note for path in kept for note in load(path).notes]


def names_of(folder: Path, suffix: str) -> list[str]:
    return [name for name in names(folder) if name.endswith(suffix)]


def test_a_part_is_over_when_it_is_old_and_its_last_exchange_has_ended(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(max_age_s=80))
    still_open = recording.observer(request("GET", "/long"))
    still_open.head(Head(200, STREAM, 0))
    watched(recording.observer(request("POST", "/new", at_ms=11_000)), [b"{}"])
    wait_until_written(recording)
    while not journal_path(tmp_path / "w.000001").exists():
        os.sched_yield()
    still_open.chunk(Chunk(b"data: 1\n\n", 0))
    recording.seal()
    found = [[one.target for one in load(path).interactions] for path in numbered(tmp_path)]
    assert found == [["/long"], ["/new"]]


def test_where_too_many_parts_wait_for_an_exchange_the_oldest_waits_no_longer(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(max_age_s=80))
    for number in range(parts.PARTS + 3):
        endless = recording.observer(request("GET", f"/{number}", at_ms=number * 11_000))
        endless.head(Head(200, STREAM, 0))
        wait_until_written(recording)
    sealed = recording.seal()
    assert sealed.incomplete + sum(one.incomplete for one in sealed.others) == parts.PARTS + 3


def test_what_a_crash_left_of_a_part_is_sealed_by_the_next_recording(tmp_path: Path) -> None:
    for name in ("w", "w.000003"):
        recording = begun(tmp_path / name)
        watched(recording.observer(request("POST", f"/{name}")), [b"{}"])
        wait_until_written(recording)
        while b'"end"' not in journal_path(tmp_path / name).read_bytes():
            os.sched_yield()
        data = journal_path(tmp_path / name).read_bytes()
        recording.seal().path.unlink()
        journal_path(tmp_path / name).write_bytes(data)
    recording = begun(tmp_path / "w", options(max_bytes=100_000))
    recording.seal()
    assert [[one.target for one in load(path).interactions] for path in numbered(tmp_path)] == [["/w.000003"], ["/w"]]


def test_a_recording_for_ever_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    assert begun(tmp_path / "w", options(max_bytes=9)).seal().interactions == 0
    assert names(tmp_path) == []


def test_a_recording_leaves_the_parts_of_another_whose_name_begins_like_its_own(tmp_path: Path) -> None:
    for name in (
        "w.prod.000007.tape.jsonl",
        "w.prod@a.000008.tape.jsonl",
        "w.prod.000009.part.jsonl",
        "w2.000009.tape.jsonl",
    ):
        (tmp_path / name).write_bytes(b"x" * 9)
    stem = tmp_path / "w"
    assert (overdue(stem, 1, 0, now_ns=0), left_behind(stem), next_part(stem).name) == ([], [], "w.000001")


def test_a_number_that_left_a_folder_of_blobs_is_not_taken_again(tmp_path: Path) -> None:
    (tmp_path / "w@a.000002.blobs").mkdir()
    assert next_part(tmp_path / "w").name == "w.000003"


def test_parts_are_overdue_by_age_or_by_size_oldest_first(tmp_path: Path) -> None:
    stem = tmp_path / "w"
    assert next_part(tmp_path / "none" / "w").name == "w.000001"
    for number in (7, 9, 8):
        path = tape_path(tmp_path / f"w.{number:06d}")
        path.write_bytes(b"x" * 10)
        os.utime(path, ns=(0, number * S))
    (tmp_path / "w.tape.jsonl").write_bytes(b"x" * 99)
    (tmp_path / "wo.000001.tape.jsonl").write_bytes(b"x" * 99)
    assert next_part(stem).name == "w.000010"
    for limits, expected in (((0, 0), ""), ((10, 0), "78"), ((25, 0), "7"), ((0, 1.5), "78"), ((9, 0), "789")):
        assert "".join(part.path.name[7] for part in overdue(stem, *limits, now_ns=10 * S)) == expected


def test_a_sample_takes_whole_conversations(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(sample=0.5))
    threads = [f"thread_{number:06d}" for number in range(40)]
    for thread in threads:
        watched(recording.observer(request("POST", "/v1/threads")), [b'{"id":"%s"}' % thread.encode()])
        watched(recording.observer(request("GET", f"/v1/threads/{thread}/runs")), [b"{}"])
    recording.seal()
    kept = [thread for thread in threads if is_taken(thread.encode(), 0.5)]
    found = load(tape_path(tmp_path / "w")).interactions
    assert [one.target for one in found if one.method == "GET"] == [f"/v1/threads/{thread}/runs" for thread in kept]
    assert len(found) == 2 * len(kept)
    assert (recording.dropped, recording.counts["sampled_out"]) == (0, 80 - len(found))
    assert 0 < len(kept) < 40


def test_an_exchange_that_finds_no_room_and_is_not_in_the_sample_counts_once(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(sample=0.0, journal_queue_max=0))
    watched(recording.observer(request("POST", "/v1/threads/thread_abcdef/runs")), [b"{}"])
    recording.seal()
    assert (recording.counts["dropped"], recording.counts["sampled_out"]) == (1, 0)


def test_content_hash_keeps_no_words(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(content="hash"))
    watched(recording.observer(request("POST")), [b'{"id":"thread_abc123","words":"Sesame"}'], JSON)
    recording.seal()
    (one,) = load(tape_path(tmp_path / "w")).interactions
    assert one.body.startswith(b'{"id":"thread_abc123","words":"')
    assert len(one.body) == 39
    assert b"Sesame" not in tape_path(tmp_path / "w").read_bytes()


class Disk:
    """A disk that refuses for as long as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        self.full = False
        really = getattr(os, call)

        def refuse(*given: object) -> object:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return really(*given)

        monkeypatch.setattr(os, call, refuse)


def wait_for(recording: Recording, *, stopped: bool) -> None:
    while (recording.reason is not None) is not stopped:
        os.sched_yield()


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_disk_that_was_full_stops_the_recording_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    disk = Disk(monkeypatch, call)
    recording = begun(tmp_path / "w", options(retry_s=0.001))
    watched(recording.observer(request("POST", "/before")), [b"{}"])
    wait_until_written(recording)
    while b'"end"' not in journal_path(tmp_path / "w").read_bytes():
        os.sched_yield()
    wait_until_settled(recording)
    disk.full = True
    watched(recording.observer(request("POST", "/lost")), [b"{}"])
    across = recording.observer(request("GET", "/across"))
    across.head(Head(200, STREAM, 0))
    wait_for(recording, stopped=True)
    assert recording.reason is not None
    assert "No space left on device; recording has stopped, traffic goes on." in recording.reason
    watched(recording.observer(request("POST", "/meanwhile")), [b"{}"])
    disk.full = False
    wait_for(recording, stopped=False)
    across.chunk(Chunk(b"data: 1\n\n", 0))
    watched(recording.observer(request("POST", "/after")), [b"{}"])
    sealed = recording.seal()
    found = {one.target: one.how for one in load(sealed.path).interactions if one.playable}
    assert list(found) == ["/before", "/after"]
    assert recording.counts["resumed"] == 1
    assert recording.dropped == 3


def test_a_part_that_cannot_begin_for_want_of_room_begins_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, "pwrite")
    recording = begun(tmp_path / "w", options(max_age_s=80, retry_s=0.001))
    watched(recording.observer(request("POST", "/old")), [b"{}"])
    while b'"end"' not in journal_path(tmp_path / "w").read_bytes():
        os.sched_yield()
    disk.full = True
    watched(recording.observer(request("POST", "/lost", at_ms=11_000)), [b"{}"])
    while not recording.dropped:
        os.sched_yield()
    disk.full = False
    while b"/new" not in b"".join(path.read_bytes() for path in tmp_path.glob("w.part.jsonl")):
        watched(recording.observer(request("POST", "/new", at_ms=11_001)), [b"{}"])
        wait_until_written(recording)
    recording.seal()
    found = [one.target for path in numbered(tmp_path) for one in load(path).interactions]
    assert found[0] == "/old"
    assert "/new" in found
    assert "/lost" not in found
    assert recording.reason is not None


def test_a_disk_that_has_no_room_for_a_blob_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = begun(tmp_path / "w", options(retry_s=0.001))
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr("wiretape.edge.blobs.replacing", fail)
        watched(recording.observer(request("POST", "/lost")), [b"x" * (BLOB_ABOVE_BYTES + 1)])
        while not recording.dropped:
            os.sched_yield()
    wait_for(recording, stopped=False)
    watched(recording.observer(request("POST", "/after")), [b"x" * (BLOB_ABOVE_BYTES + 1)])
    recording.seal()
    assert [one.target for one in load(tape_path(tmp_path / "w")).interactions if one.playable] == ["/after"]


def test_no_byte_of_a_key_is_in_any_file_of_a_recording_for_ever(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", options(max_bytes=1 << 20), WALL_NS)
    asked = request("POST", "/v1/x", ((b"Authorization", b"Bearer " + KEY),))
    watched(recording.observer(asked), [KEY + b"x" * BLOB_ABOVE_BYTES])
    wait_until_written(recording)
    recording.seal()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY in path.read_bytes()]
