import errno
import gzip
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.recordings import begun, wait_until_settled, wait_until_written, watched
from support.tapes import JSON, KEY, MS, STREAM, WALL_NS, request
from wiretape.cassette.format import Ended
from wiretape.cassette.rules import Rules
from wiretape.edge.journal import Journal
from wiretape.edge.store import Recording, RecordOptions, journal_path, load, seal_journal, tape_path, write_tape
from wiretape.errors import CassetteError, CassetteLocked
from wiretape.exchange import Chunk, Ending, Head, How

FRAMES = [b'event: thread.run.created\ndata: {"id":"run_abc123"}\n\n', b"data: [DONE]\n\n"]


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    return tmp_path / "talks" / "weather"


@pytest.fixture
def made() -> Iterator[list[Recording]]:
    """Recordings that a test leaves open are sealed behind it."""
    recordings: list[Recording] = []
    yield recordings
    for recording in recordings:
        recording.seal()


def test_what_was_watched_is_sealed_and_loads(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b'{"id":"thread_abc123"}'])
    watched(recording.observer(request("POST", "/v1/runs", at_ms=7)), FRAMES, STREAM)
    sealed = recording.seal()
    assert (recording.name, recording.dropped, recording.reason) == (str(stem), 0, None)
    assert (sealed.path, sealed.interactions, sealed.incomplete) == (tape_path(stem), 2, 0)
    content = load(sealed.path)
    assert content.header.upstream == "https://api.example.com"
    assert len(content.header.id) == 16
    assert [(one.target, one.body, one.t0_ms) for one in content.interactions] == [
        ("/v1/threads", b'{"id":"thread_abc123"}', 0),
        ("/v1/runs", b"".join(FRAMES), 7),
    ]
    assert not journal_path(stem).exists()


def test_many_pieces_at_once_are_written_slice_by_slice_in_order(stem: Path) -> None:
    recording = begun(stem, RecordOptions())
    frames = [b"data: %d\n\n" % at for at in range(100)]
    watched(recording.observer(request("POST", "/v1/runs")), frames, STREAM)
    recording.seal()
    (one,) = load(tape_path(stem)).interactions
    assert (one.body, len(one.chunks)) == (b"".join(frames), 100)


def test_a_second_recording_of_one_cassette_is_refused(stem: Path) -> None:
    recording = begun(stem)
    with pytest.raises(CassetteLocked):
        begun(stem)
    recording.seal()


def test_a_recording_of_an_old_cassette_adds_and_over_it_replaces(stem: Path) -> None:
    for over, count in ((False, 1), (False, 2), (True, 1)):
        recording = begun(stem, wall_ns=WALL_NS + 60_000 * MS * (count - 1), over=over)
        watched(recording.observer(request("POST")), [b"{}"])
        assert recording.seal().interactions == count


@pytest.mark.parametrize("name", ["weather.tape.jsonl", "weather.part.jsonl"])
def test_a_damaged_cassette_is_not_recorded_to(stem: Path, name: str) -> None:
    stem.parent.mkdir()
    (stem.parent / name).write_bytes(b"<<<<<<<\nx\n")
    for _ in range(2):
        with pytest.raises(CassetteError, match="line 1"):
            begun(stem)


def test_an_exchange_that_is_open_at_the_end_is_closed_as_cut(stem: Path) -> None:
    recording = begun(stem)
    observer = recording.observer(request())
    observer.head(Head(200, STREAM, 0))
    observer.chunk(Chunk(FRAMES[0], 0))
    assert recording.seal().incomplete == 1
    (one,) = load(tape_path(stem)).interactions
    assert (one.how, one.body) == (Ended.RECORDER, FRAMES[0])


def test_a_recording_goes_on_after_a_crash_without_losing_what_had_ended(stem: Path) -> None:
    stem.parent.mkdir()
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    observer = recording.observer(request())
    observer.head(Head(200, STREAM, 0))
    crashed = stopped(recording)
    for torn in (crashed + b'{"k":"ev","i":2,"e', crashed, crashed[:-1]):
        again = stem.with_name(f"again{len(torn)}")
        journal_path(again).write_bytes(torn)
        resumed = begun(again, wall_ns=WALL_NS + 5000 * MS)
        watched(resumed.observer(request("PUT", at_ms=5000)), [b"more"])
        assert resumed.seal().interactions == 3
        found = load(tape_path(again)).interactions
        assert [(one.method, one.how, one.t0_ms) for one in found] == [
            ("POST", "complete", 0),
            ("GET", "recorder", 0),
            ("PUT", "complete", 5000),
        ]


def test_sealing_takes_away_what_a_killed_sealing_had_begun(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    half = [stem.parent / f".weather{name}.tape.jsonl.{pid}" for name in ("", "@a") for pid in (1, 99999)]
    for path in half:
        path.write_bytes(b"half")
    recording.seal()
    assert [path.exists() for path in half] == [False, False, True, True]


def journal_of(recording: Recording) -> Journal:
    return recording._reels._current["default"].journal


def stopped(recording: Recording) -> bytes:
    """The journal as a kill right now would leave it: what the observers put is written, nothing is closed."""
    recording._writer.stop()
    recording._thread.join()
    source = journal_of(recording).source()
    data = source.read(0, source.size)
    journal_of(recording).remove()
    return data


def test_an_empty_journal_is_begun_anew(stem: Path) -> None:
    stem.parent.mkdir()
    journal_path(stem).write_bytes(b'{"k":"ta')
    recording = begun(stem)
    watched(recording.observer(request()), [b"{}"])
    assert recording.seal().interactions == 1


class Stalled:
    """A recording whose writer has not come to run."""

    def __init__(self, stem: Path, options: RecordOptions, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("threading.Thread.start", lambda _: None)
            self.recording = begun(stem, options)

    def goes_on(self) -> Recording:
        self.recording._thread.start()
        return self.recording


@pytest.mark.parametrize(
    "options",
    [RecordOptions(journal_queue_max=4), RecordOptions(journal_queue_bytes_max=9), RecordOptions(held_bytes_max=9)],
)
def test_over_a_bound_that_exchange_is_closed_as_cut_and_counted(
    stem: Path, monkeypatch: pytest.MonkeyPatch, options: RecordOptions
) -> None:
    stalled = Stalled(stem, options, monkeypatch)
    full, other = stalled.recording.observer(request("POST")), stalled.recording.observer(request("GET", "/other"))
    watched(full, [b"x" * 10] * 9)
    recording = stalled.goes_on()
    wait_until_written(recording)
    other.head(Head(200, JSON, 0))
    other.end(Ending(How.COMPLETE, 0))
    sealed = recording.seal()
    assert (recording.dropped, sealed.interactions, sealed.incomplete) == (1, 2, 1)
    cut, whole = load(sealed.path).interactions
    assert (cut.how, whole.how) == (Ended.RECORDER, Ended.COMPLETE)


def test_what_came_before_a_frame_that_is_too_large_is_kept(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stalled = Stalled(stem, RecordOptions(frame_bytes_max=80), monkeypatch)
    watched(stalled.recording.observer(request("POST")), [*FRAMES, b"data: " + b"x" * 99 + b"\n\n", *FRAMES], STREAM)
    recording = stalled.goes_on()
    assert (recording.seal().incomplete, recording.dropped) == (1, 1)
    (one,) = load(tape_path(stem)).interactions
    assert (one.how, one.body) == (Ended.RECORDER, b"".join(FRAMES))


def test_what_a_head_tells_is_taken_out_of_all_that_is_written_with_it(
    stem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = b"Kanari-env0gel-im-Berg"
    stalled = Stalled(stem, RecordOptions(), monkeypatch)
    answered = stalled.recording.observer(request("POST"))
    answered.head(Head(200, STREAM, 0))
    stalled.recording.observer(request("GET", headers=((b"api-key", key),))).head(Head(200, JSON, 0))
    answered.chunk(Chunk(b"data: " + key + b"\n\n", 0))
    assert key not in stopped(stalled.goes_on())


def test_what_cannot_be_recorded_is_dropped_and_counted_alone(stem: Path) -> None:
    recording = begun(stem, RecordOptions(journal_lag_s=0.001, body_bytes_max=100))
    watched(recording.observer(request("POST")), [b"x" * 60, b"x" * 60, b"x"])
    recording.observer(request()).sent(Chunk(b"x" * 101, 0))
    packed = gzip.compress(b"x" * 2000 + KEY)[:-3]
    watched(
        recording.observer(request("POST", headers=((b"api-key", KEY),))), [packed], ((b"Content-Encoding", b"gzip"),)
    )
    watched(recording.observer(request("PUT")), [b"fine"])
    assert recording.seal().interactions == 3
    assert recording.dropped == 3
    assert [one.how for one in load(tape_path(stem)).interactions] == ["recorder", "recorder", "complete"]


def test_an_exchange_that_cannot_even_begin_is_counted(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = begun(stem)

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("wiretape.cassette.recorder.redactor_for", fail)
    watched(recording.observer(request("POST")), [b"x"])
    assert recording.seal().interactions == 0
    assert recording.dropped == 1


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_disk_that_fails_stops_the_recording_with_a_reason(
    stem: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"kept"])
    still_open = recording.observer(request("GET", "/open"))
    still_open.head(Head(200, STREAM, 0))
    wait_until_synced(stem)
    wait_until_settled(recording)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, call, fail)
        watched(recording.observer(request("PUT")), [b"lost"])
        while recording.reason is None:
            recording._thread.join(0.001)
    assert recording.reason == f"{journal_path(stem)}: No space left on device; recording has stopped, traffic goes on."
    still_open.chunk(Chunk(b"x", 0))
    watched(recording.observer(request("DELETE")), [b"too late"])
    sealed = recording.seal()
    assert [one.body for one in load(sealed.path).interactions if one.playable] == [b"kept"]
    assert recording.dropped == 3


def wait_until_synced(stem: Path) -> None:
    while b'"/open"' not in journal_path(stem).read_bytes():
        os.sched_yield()


KILLED = """
    import os, sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from support.tapes import STREAM, WALL_NS, request
    from wiretape.edge.store import Recording, RecordOptions, journal_path
    from wiretape.exchange import Chunk, Ending, Head, How
    stem = Path(sys.argv[1])
    recording = Recording.open(stem, "", "", WALL_NS, RecordOptions(journal_lag_s=0.002))
    number = 0
    while True:
        observer = recording.observer(request("POST", f"/v1/{number}"))
        observer.head(Head(200, STREAM, 0))
        for _ in range(20):
            observer.chunk(Chunk(b"data: {}\\n\\n" * 20, 0))
        observer.end(Ending(How.COMPLETE, 0))
        number += 1
        if number % 20 == 0:
            print(number, flush=True)
            recording._thread.join(0.001)
"""


def test_a_killed_recorder_loses_nothing_that_had_ended_on_disk(stem: Path) -> None:
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(stem), str(Path(__file__).parent.parent)]
    with subprocess.Popen(script, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while journal_path(stem).read_bytes().count(b'{"k":"end"') < 5:
            os.sched_yield()
        with pytest.raises(CassetteLocked):
            seal_journal(stem)
        child.send_signal(signal.SIGKILL)
    ended = journal_path(stem).read_bytes().count(b'{"k":"end"')
    sealed = seal_journal(stem)
    found = load(sealed.path).interactions
    assert sum(one.how is Ended.COMPLETE for one in found) >= ended - 1 > 0
    assert all(one.body == b"data: {}\n\n" * 400 for one in found if one.how is Ended.COMPLETE)
    assert [one.target for one in found] == [f"/v1/{number}" for number in range(len(found))]


def test_what_was_sealed_before_a_crash_is_not_recorded_twice(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    wait_until_written(recording)
    left = journal_path(stem)
    while b'"end"' not in left.read_bytes():
        os.sched_yield()
    data = left.read_bytes()
    recording.seal()
    left.write_bytes(data)
    again = begun(stem, wall_ns=WALL_NS + 60_000 * MS)
    watched(again.observer(request("PUT")), [b"{}"])
    again.seal()
    assert [one.method for one in load(tape_path(stem)).interactions] == ["POST", "PUT"]


def test_a_recording_over_an_old_one_keeps_nothing_of_a_journal_that_was_left(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    data = stopped(recording)
    journal_path(stem).write_bytes(data)
    again = begun(stem, over=True)
    watched(again.observer(request("PUT")), [b"{}"])
    again.seal()
    assert [one.method for one in load(tape_path(stem)).interactions] == ["PUT"]


def test_a_recording_over_an_old_one_keeps_the_rules_of_its_first_line(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    path, rules = recording.seal().path, Rules(ignore=("$.trace",))
    write_tape(replace(load(path), header=replace(load(path).header, match=rules)), path)
    again = begun(stem, over=True)
    watched(again.observer(request("PUT")), [b"{}"])
    again.seal()
    assert load(path).header.match == rules
    assert [one.method for one in load(path).interactions] == ["PUT"]


def test_a_recording_over_what_is_no_cassette_any_more_replaces_it(stem: Path) -> None:
    recording = begun(stem, over=True)
    tape_path(stem).write_bytes(b"<<<<<<< HEAD\n")
    watched(recording.observer(request("PUT")), [b"{}"])
    assert recording.seal().interactions == 1


def test_a_recording_over_an_old_one_in_which_nothing_happened_costs_nothing(stem: Path) -> None:
    recording = begun(stem)
    watched(recording.observer(request("POST")), [b"{}"])
    kept = recording.seal().path.read_bytes()
    assert begun(stem, over=True).seal().interactions == 1
    assert tape_path(stem).read_bytes() == kept


def test_a_disk_that_is_full_at_the_start_refuses_the_recording(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(CassetteError, match="cannot be written: No space left on device"):
            begun(stem)
    begun(stem).seal()


def test_a_writer_that_dies_says_so_and_every_later_exchange_counts_as_dropped(
    stem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = begun(stem)

    def fail(*_: object) -> None:
        raise RuntimeError(KEY.decode())

    monkeypatch.setattr(journal_of(recording), "append", fail)
    watched(recording.observer(request("POST")), [b"x"])
    recording._thread.join()
    assert recording.reason is not None
    assert "The recorder failed (RuntimeError)" in recording.reason
    before = recording.dropped
    watched(recording.observer(request("POST")), [b"x"])
    assert recording.dropped == before + 1
    recording.seal()


def test_a_cassette_that_is_full_stops_the_recording_while_it_can_still_be_read(
    stem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wiretape.edge.reel.CASSETTE_BYTES_MAX", 4000)
    recording = begun(stem)
    while recording.reason is None:
        watched(recording.observer(request("POST")), [b"x" * 200])
        wait_until_written(recording)
    assert "The cassette is full" in recording.reason
    assert journal_path(stem).stat().st_size <= 4000
    assert recording.seal().interactions > 0


def test_no_journal_byte_holds_the_key(stem: Path) -> None:
    recording = begun(stem)
    asked = request("POST", f"/v1/x?key={KEY.decode()}", ((b"Authorization", b"Bearer " + KEY),))
    watched(recording.observer(asked), [b"data: ", KEY, b"\n\ndata: 1", b"\n\n" + KEY], STREAM, How.UPSTREAM_FAILED)
    assert KEY not in stopped(recording)
