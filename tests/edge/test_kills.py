"""Kills at random moments of a recording: ten in the suite, 200 by `make kills`."""

import hashlib
import os
from pathlib import Path

import pytest

from support.killed import killed
from wiretape.cassette.format import Ended
from wiretape.edge.store import journal_path, load, seal_journal

KILLS = int(os.environ.get("WIRETAPE_KILLS", "10"))


@pytest.mark.parametrize("seed", range(KILLS))
async def test_what_clients_had_seen_to_its_end_survives_a_kill_byte_for_byte(tmp_path: Path, seed: int) -> None:
    stem = tmp_path / "w"
    seen = await killed(stem, seed)
    recovered = {one.path: one for one in load(journal_path(stem)).interactions}
    for one in seen:
        assert one.path in recovered
        found = recovered[one.path]
        assert (found.how, hashlib.sha256(found.body).hexdigest()) == (Ended.COMPLETE, one.sha)
    sealed = load(seal_journal(stem).path)
    assert sealed.notes == ()
    assert {one.path: one.body for one in sealed.interactions} == {path: one.body for path, one in recovered.items()}
    assert all(one.path.encode() in one.body for one in sealed.interactions if one.playable)
    assert all(one.body.endswith((b"\n\n", b'"}')) for one in sealed.interactions if one.playable)
