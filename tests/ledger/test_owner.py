"""Who lives is told by locks: a process that ended, however, is seen to be dead at once."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from wiretape.ledger.owner import Owner, bury, is_dead

_CLAIMING = """
import sys, time
from pathlib import Path
from wiretape.ledger.owner import Owner
owner = Owner(Path(sys.argv[1]))
owner.claim()
print(owner.id, flush=True)
sys.stdin.read()
"""


def test_who_has_claimed_lives_until_it_lets_go(tmp_path: Path) -> None:
    ledger = tmp_path / "wiretape.db"
    owner = Owner(ledger)
    owner.claim()
    owner.claim()
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not is_dead(ledger, owner.id)
    owner.release()
    owner.release()
    assert is_dead(ledger, owner.id)
    assert list(tmp_path.iterdir()) == []


def test_two_of_one_process_are_two(tmp_path: Path) -> None:
    ledger = tmp_path / "wiretape.db"
    one, other = Owner(ledger), Owner(ledger)
    one.claim()
    other.claim()
    one.release()
    assert (is_dead(ledger, one.id), is_dead(ledger, other.id)) == (True, False)
    other.release()


def test_a_process_that_is_killed_is_dead_and_its_file_can_be_removed(tmp_path: Path) -> None:
    ledger = tmp_path / "wiretape.db"
    with subprocess.Popen(
        [sys.executable, "-c", _CLAIMING, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        owner = child.stdout.readline().strip()
        assert not is_dead(ledger, owner)
        child.kill()
    assert is_dead(ledger, owner)
    bury(ledger, owner)
    bury(ledger, owner)
    assert list(tmp_path.iterdir()) == []


def test_one_whose_file_cannot_be_looked_into_is_taken_to_live(tmp_path: Path) -> None:
    (tmp_path / "wiretape.db-owner-abc").mkdir()
    assert not is_dead(tmp_path / "wiretape.db", "abc")
