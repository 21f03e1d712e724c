"""Lines of JSON as a Parquet file, written by DuckDB: it has the format inside, and needs nothing beside it."""

from __future__ import annotations

import glob
import importlib
from pathlib import Path
from typing import Any, Final

from wiretape.errors import ConfigError

_TYPES: Final = {"TEXT": "VARCHAR", "INTEGER": "BIGINT", "BLOB": "VARCHAR"}


def write_parquet(lines: Path, target: Path, columns: dict[str, str]) -> None:
    """Turn a file of `as_jsonl` into Parquet, compressed with zstd; `columns` have SQLite's types.

    Raises ConfigError without the extra `parquet`.
    """
    # Nothing of the machine's own is read or loaded: neither settings nor extensions.
    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with _duckdb().connect(":memory:", config=options) as connection:
        connection.execute(f"COPY ({_select(lines, columns)}) TO {_quoted(str(target))} (FORMAT parquet, CODEC zstd)")


def _duckdb() -> Any:  # noqa: ANN401  a module that may be missing
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        raise ConfigError(
            "Parquet is written by duckdb, which is not installed: pip install 'wiretape[parquet]', or --format csv"
        ) from error


def _select(lines: Path, columns: dict[str, str]) -> str:
    shown = ", ".join(f"from_base64({name}) AS {name}" if kind == "BLOB" else name for name, kind in columns.items())
    types = ", ".join(f"{name}: {_quoted(_TYPES[kind])}" for name, kind in columns.items())
    read = f"read_json({_quoted(glob.escape(str(lines)))}, format = 'newline_delimited', columns = {{{types}}})"
    return f"SELECT {shown} FROM {read}"  # noqa: S608 - names are ours, and the paths are quoted


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
