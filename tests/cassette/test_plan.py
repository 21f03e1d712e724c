import pytest

from wiretape.cassette.format import Interaction
from wiretape.cassette.miss import Miss
from wiretape.cassette.plan import Forward, Mode, Plan, Refuse, Replay, plan

HIT = Interaction(index=1, method="GET", target="/")
MISS = Miss(message="no", nearest=(), times_recorded=0, unplayed=())
NAMED = Miss(message="no", nearest=(), times_recorded=0, unplayed=(), replayed_id="thread_abc123")


@pytest.mark.parametrize(
    ("mode", "found", "planned"),
    [
        (Mode.FORWARD, None, Forward(record=False)),
        (Mode.RECORD, None, Forward(record=True)),
        (Mode.REWRITE, None, Forward(record=True)),
        (Mode.REPLAY, HIT, Replay(HIT)),
        (Mode.REPLAY, MISS, Refuse(MISS)),
        (Mode.AUTO, HIT, Replay(HIT)),
        (Mode.AUTO, MISS, Forward(record=True)),
        (Mode.AUTO, NAMED, Refuse(NAMED)),
    ],
)
def test_mode_and_finding_decide(mode: Mode, found: Interaction | Miss | None, planned: Plan) -> None:
    assert plan(mode, found) == planned


def test_only_replay_and_auto_ask_and_replay_never_records() -> None:
    assert {mode for mode in Mode if mode.asks} == {Mode.REPLAY, Mode.AUTO}
    assert {mode for mode in Mode if mode.records} == {Mode.RECORD, Mode.REWRITE, Mode.AUTO}
