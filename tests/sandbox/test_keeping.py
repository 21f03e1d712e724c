from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.errors import ConfigError
from wiretape.sandbox.keeping import VERSION, Keeper, Kept, Tenant
from wiretape.sandbox.table import Table

FIRST = Tenant(0, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_what_is_kept_comes_back_in_the_order_in_which_it_came_to_be(path: Path) -> None:
    keeper = Keeper(path)
    key_hash = b"hash of a"
    keeper.keep(FIRST, key_hash, [Kept("a", "1", b"{}"), Kept("b", "2", b"{}", b"content"), Kept("a", "3", b"{}")])
    keeper.keep(Tenant(0, 9), key_hash, [Kept("a", "1", b'{"n":1}'), Kept("a", "3", None), Kept("a", "none", None)])
    keeper.close()
    again = Keeper(path)
    assert again.tenants() == {key_hash: Tenant(0, 9)}
    assert list(again.objects(0)) == [Kept("a", "1", b'{"n":1}'), Kept("b", "2", b"{}", b"content")]
    assert list(again.objects(1)) == []
    again.close()


def test_only_its_owner_reads_the_file(path: Path) -> None:
    Keeper(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_process_is_refused(path: Path) -> None:
    keeper = Keeper(path)
    with pytest.raises(ConfigError, match="another process has it; name another file"):
        Keeper(path)
    keeper.close()
    Keeper(path).close()


def test_somebody_elses_database_is_not_touched(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (a)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="an SQLite file but no sandbox's state"):
        Keeper(path)
    assert path.read_bytes() == before


def test_a_newer_wiretapes_file_is_refused(path: Path) -> None:
    Keeper(path).close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    with pytest.raises(ConfigError, match=f"is of version {VERSION + 1}, this Wiretape knows {VERSION}"):
        Keeper(path)


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database " * 500)
    with pytest.raises(ConfigError, match="is no SQLite file"):
        Keeper(path)


def test_a_state_without_its_salt_is_refused(path: Path) -> None:
    Keeper(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM salt")
    connection.close()
    with pytest.raises(ConfigError, match="a damaged one"):
        Keeper(path)


def test_a_name_that_sqlite_would_keep_in_memory_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Keeper(Path(":memory:")).close()
    assert (tmp_path / ":memory:").read_bytes().startswith(b"SQLite format 3")


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot keep the sandbox's state in .*nowhere"):
        Keeper(tmp_path / "nowhere" / "state.db")


def test_nothing_of_a_failed_write_is_kept(path: Path) -> None:
    keeper = Keeper(path)
    keeper._connection.execute("PRAGMA max_page_count = 12")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        keeper.keep(FIRST, b"hash", [Kept("a", "1", b"{}"), Kept("a", "2", b"x" * 100_000)])
    assert (list(keeper.objects(0)), keeper.tenants()) == ([], {})
    keeper.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["set", "touch", "delete"]))))
def test_a_table_knows_what_was_changed_since_it_was_last_asked(moves: list[tuple[str, str]]) -> None:
    table: Table[int] = Table()
    changed = set()
    for key, move in moves:
        if move == "set":
            table[key] = 1
        elif move == "touch":
            table.touch(key)
        elif key in table:
            del table[key]
        else:
            continue
        changed.add(key)
    taken = table.take_changed()
    assert (set(taken), len(taken)) == (changed, len(changed))
    assert table.take_changed() == []
