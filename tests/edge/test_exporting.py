from pathlib import Path

import pytest

from wiretape.cassette.convert.exported import Exported
from wiretape.edge.exporting import write_export
from wiretape.errors import CassetteError


def test_none_of_several_files_stays_where_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "2.sse").write_text("mine")
    with pytest.raises(CassetteError, match=r"2\.sse: cannot be written: File exists"):
        write_export(Exported((("1.sse", b"a"), ("2.sse", b"b"))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["2.sse"]
    assert (tmp_path / "2.sse").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match=r"file.*: cannot be written"):
        write_export(Exported((("", b"a"),)), tmp_path / "file" / "inner")
