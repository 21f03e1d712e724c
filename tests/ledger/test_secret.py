from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wiretape.ledger.secret import hash_secret


def test_the_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    made = hash_secret(tmp_path / "wiretape.db")
    file = tmp_path / "wiretape.db.hash-key"
    assert file.read_bytes().strip() == made == hash_secret(tmp_path / "wiretape.db")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(made) == 64
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_two_ledgers_have_secrets_of_their_own(tmp_path: Path) -> None:
    assert hash_secret(tmp_path / "one.db") != hash_secret(tmp_path / "two.db")


def test_who_asks_at_once_gets_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(hash_secret, [tmp_path / "wiretape.db"] * 32))
    assert len(found) == 1
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize("ledger", [None, Path("/nonexistent/wiretape.db")])
def test_without_room_for_a_file_the_secret_is_this_processs_own(ledger: Path | None) -> None:
    assert len(hash_secret(ledger)) == 32
    assert hash_secret(ledger) != hash_secret(ledger)


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "wiretape.db.hash-key").touch(0o644)
    made = hash_secret(tmp_path / "wiretape.db")
    assert len(made) == 64
    assert hash_secret(tmp_path / "wiretape.db") == made
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
