"""Legs of a run, written: from its start, or from its tool outputs, to the next pause or the end."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from wiretape.sandbox import tools
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.objects import Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.play import Play
from wiretape.sandbox.plot import Plot, Shelf
from wiretape.sandbox.stage import Stage
from wiretape.sandbox.timeline import Beat, Draft, Scene


class Written(Struct, frozen=True):
    """A leg, and what is left to do after it."""

    beats: tuple[Beat, ...]
    plot: Plot


class Legs:
    """Writes legs with the ids and the pace of one sandbox, and with the files of one run."""

    def __init__(self, chance: Chance, options: SandboxOptions, shelf: Shelf) -> None:
        self._chance = chance
        self._options = options
        self._shelf = shelf

    def first(self, scene: Scene, plot: Plot, now_s: float, thread: Thread | None) -> Written:
        """From creation on; `thread` is announced where it came with the run."""
        play = self._play(scene, plot, now_s)
        play.stage.begin(thread)
        return _performed(play)

    def next(self, scene: Scene, plot: Plot, now_s: float, outputs: Mapping[str, str]) -> Written:
        """From the tool outputs on; `outputs` holds one for each call that waits."""
        play = self._play(scene, plot, now_s)
        tools.answer(play, outputs)
        return _performed(play)

    def _play(self, scene: Scene, plot: Plot, now_s: float) -> Play:
        stage = Stage(Draft(scene, now_s), self._chance, plot.pace_s, self._options.queue_s)
        return Play(stage, plot, self._shelf)


def _performed(play: Play) -> Written:
    left = play.perform()
    return Written(tuple(play.stage.draft.beats), left)
