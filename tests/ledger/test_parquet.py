from __future__ import annotations

import glob
import sys
from pathlib import Path

import pytest

from wiretape.errors import ConfigError
from wiretape.ledger.parquet import write_parquet

COLUMNS = {"name": "TEXT", "count": "INTEGER", "sketch": "BLOB"}


@pytest.mark.parametrize("name", ["it's.jsonl", "*.jsonl", "{x}.jsonl", "a?b[c].jsonl"])
def test_values_come_back_as_they_were_whatever_the_files_are_called(tmp_path: Path, name: str) -> None:
    import duckdb

    lines, target = tmp_path / name, tmp_path / f"{name}.parquet"
    lines.write_text('{"name":"Zo\\u00eb","count":9223372036854775807,"sketch":"AQI="}\n{"name":"","count":null}\n')
    (tmp_path / "axb.jsonl").write_text('{"name":"another file"}\n')
    write_parquet(lines, target, COLUMNS)
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT * FROM read_parquet(?)", [glob.escape(str(target))]).fetchall()
    assert rows == [("Zoë", 9223372036854775807, b"\x01\x02"), ("", None, None)]


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"pip install 'wiretape\[parquet\]', or --format csv"):
        write_parquet(tmp_path / "a", tmp_path / "b", COLUMNS)
