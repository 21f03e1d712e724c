"""`wiretape cassette import` and `export`, in this process."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from support.foreign import SAMPLES
from support.tapes import only
from wiretape.cassette.convert import formats
from wiretape.cli.cassette import cassette, convert
from wiretape.edge.store import load, tape_path
from wiretape.errors import CassetteError


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def run(*words: str) -> Ran:
    """The command's exit code and what it printed; its own errors are raised."""
    ran = CliRunner().invoke(cassette, words, catch_exceptions=False)
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file of each format, which is the working directory too."""
    monkeypatch.chdir(tmp_path)
    for kind, data in SAMPLES.items():
        (tmp_path / f"{kind}.file").write_bytes(data)
    return tmp_path


def names(kinds: Sequence[str]) -> list[str]:
    return [f"{kind}.file" for kind in kinds]


def test_each_file_becomes_a_cassette_of_its_name(samples: Path) -> None:
    ran = run("import", *names(list(SAMPLES)))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"{2 if kind == 'vcr' else 1} interactions in cassettes/{kind}.tape.jsonl" for kind in SAMPLES
    ]


def test_several_files_become_one_cassette_in_their_order(samples: Path) -> None:
    ran = run("import", *names(["sse", "har", "vcr"]), "--into", "./old")
    assert (ran.code, ran.out) == (0, "4 interactions in old.tape.jsonl\n")
    tape = load(tape_path(samples / "old"))
    assert [one.target for one in tape.interactions][:2] == ["/v1/threads/runs", "/v1/threads"]
    assert tape.header.by.endswith(", from vcr.file")


def test_what_is_imported_is_redacted_by_the_rules_of_the_configuration(samples: Path) -> None:
    (samples / "a.sse").write_bytes(b'data: {"customer":"Kolibri"}\n\n')
    (samples / "wiretape.toml").write_text('[redact]\njson = ["$..customer"]\n')
    (samples / "no.toml").write_text("")
    assert run("import", "a.sse").code == run("import", "a.sse", "--config", "no.toml", "--into", "b").code == 0
    with_rules, without = (tape_path(samples / "cassettes" / name).read_bytes() for name in "ab")
    assert (b"Kolibri" in with_rules, b"Kolibri" in without) == (False, True)


def test_nothing_is_written_over(samples: Path) -> None:
    assert run("import", "sse.file", "--into", "old").code == 0
    with pytest.raises(CassetteError, match="is there already"):
        run("import", "har.file", "--into", "old")
    (samples / "other").mkdir()
    (samples / "other" / "sse.file").write_bytes(SAMPLES["sse"])
    with pytest.raises(CassetteError, match="Two files would become"):
        run("import", "sse.file", "other/sse.file", "--cassette-dir", "new")


def test_a_refused_file_is_named_and_nothing_is_written(samples: Path) -> None:
    (samples / "bad.yaml").write_text("a: 1")
    ran = run("import", "sse.file", "bad.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("bad.yaml: This is no recording of a format that is known: it has no keys")
    assert ran.err.endswith("1 of 2 files refused; nothing was written, --keep-going writes the others\n")
    assert not (samples / "cassettes").exists()


def test_the_others_are_written_where_that_is_wished(samples: Path) -> None:
    (samples / "bad.yaml").write_text("a: 1")
    ran = run("import", "bad.yaml", "sse.file", "--keep-going")
    assert (ran.code, ran.out) == (1, "1 interactions in cassettes/sse.tape.jsonl\n")
    assert ran.err.endswith("1 of 2 files refused\n")


def test_programs_get_json(samples: Path) -> None:
    (samples / "bad.yaml").write_text("a: 1")
    (samples / "cut.sse").write_text("data: 1")
    ran = run("import", "bad.yaml", "cut.sse", "--keep-going", "--json")
    report = json.loads(ran.out)
    note = "Interaction 1: Its last event ends without a blank line: a browser drops it."
    assert report["cassettes"] == [{"cassette": "cassettes/cut.tape.jsonl", "interactions": 1, "files": ["cut.sse"]}]
    assert report["files"] == [{"file": "cut.sse", "format": "sse", "interactions": 1, "notes": [note]}]
    assert [one["file"] for one in report["refused"]] == ["bad.yaml"]
    assert f"cut.sse: note: {note}\n" in ran.err


def test_the_request_to_a_stream_can_be_said(samples: Path) -> None:
    run("import", "sse.file", "--into", "./said", "--request", "GET https://api.example.com/v1/x?a=1", "--body", "")
    one = only(load(tape_path(samples / "said")))
    assert (one.method, one.target, one.request_body) == ("GET", "/v1/x?a=1", b"")
    with pytest.raises(CassetteError, match="a method and a target"):
        run("import", "sse.file", "--into", "./other", "--request", "GET")


def test_a_format_can_be_given(samples: Path) -> None:
    ran = run("import", "sse.file", "--format", "har")
    assert ran.code == 1
    assert ran.err.startswith("sse.file: This JSON cannot be read")


def test_a_file_that_is_too_large_is_not_read(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "SOURCE_BYTES_MAX", 10)
    assert "sse.file: This file is over 10 bytes" in run("import", "sse.file").err
    assert formats.SOURCE_BYTES_MAX == 256 << 20


def test_a_file_that_cannot_be_read_is_refused(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert "sse.file: This file cannot be read: Input/output error." in run("import", "sse.file").err


@pytest.fixture
def taped(samples: Path) -> Path:
    """The samples, and one cassette `all` with a stream and a body."""
    assert run("import", "vcr.file", "--into", "all").code == 0
    return samples


@pytest.mark.parametrize("kind", ["har", "vcr"])
def test_a_cassette_is_exported_to_one_file_and_its_losses_are_told(taped: Path, kind: str) -> None:
    ran = run("export", "all", "--to", "out/all.file", "--format", kind)
    assert (ran.code, ran.out) == (0, "out/all.file\n")
    assert formats.read((taped / "out" / "all.file").read_bytes()).kind == kind
    assert ("note: When it was recorded is not known" in ran.err) == (kind == "har")
    assert (taped / "out" / "all.file").stat().st_mode & 0o777 == 0o600


def test_streams_are_exported_to_a_folder(taped: Path) -> None:
    ran = run("export", "all", "--to", "streams", "--format", "sse", "--json")
    report = json.loads(ran.out)
    assert (report["cassette"], report["files"]) == ("cassettes/all.tape.jsonl", ["streams/1.sse"])
    assert report["lost"][0] == "1 interactions are left out: they are no event streams."
    assert (taped / "streams" / "1.sse").read_bytes().startswith(b"event: thread.run.created\n")


def test_an_export_writes_over_nothing(taped: Path) -> None:
    (taped / "there.har").write_text("mine")
    with pytest.raises(CassetteError, match=r"there\.har: cannot be written: File exists"):
        run("export", "all", "--to", "there.har", "--format", "har")
    assert (taped / "there.har").read_text() == "mine"


def test_an_export_without_streams_says_so(samples: Path) -> None:
    run("import", "azure.file", "--into", "plain")
    with pytest.raises(CassetteError, match="holds no event stream"):
        run("export", "plain", "--to", "streams", "--format", "sse")


def test_a_long_import_shows_a_person_how_far_it_is(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "is_watched", lambda: True)
    assert "Reading" in run("import", "sse.file", "har.file").err
    assert "Reading" not in run("import", "vcr.file").err


def test_a_bar_moves_with_each_interaction_and_never_back() -> None:
    moved: list[int] = []
    going = convert._Going(moved.append)
    tell = going.within(100)
    for done in (1, 2, 3):
        tell(done, 3)
    going.done(100)
    going.done(7)
    assert moved == [33, 33, 34, 0, 7]
