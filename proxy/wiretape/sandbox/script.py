"""Legs of a run, from its start or from its tool outputs to the next pause or end; and the fates a run may be given.

A run whose metadata has the key `sandbox` meets the fate it names, instead of what the mind would do:

| `metadata.sandbox` | the run |
| --- | --- |
| `say <text>` | writes this very text and completes; no tool is called |
| `fail <code>` | writes half a message and fails; `server_error`, `rate_limit_exceeded` or `invalid_prompt` |
| `incomplete <reason>` | writes half a message and stops; `max_completion_tokens` or `max_prompt_tokens` |
| `expire` | writes half a message and expires at once, not after ten minutes |
| `stall` | is in progress and does nothing, until it is cancelled or its ten minutes are over |

Any other value is refused with status 400. Tokens are counted as four characters each; of a prompt of 1,024
tokens or more the whole blocks of 128 count as cached.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from wiretape.sandbox import mind
from wiretape.sandbox.acts import Acts, pieces
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.objects import Metadata, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.timeline import EXPIRED, Beat, Draft, Fate, Scene, close, failed, incomplete
from wiretape.sandbox.work import LastError, Usage, tokens

KEY = "sandbox"
ERRORS = {
    "server_error": "Sorry, something went wrong.",
    "rate_limit_exceeded": "You exceeded your current quota, as your metadata asked.",
    "invalid_prompt": "The prompt was refused, as your metadata asked.",
}
REASONS = ("max_completion_tokens", "max_prompt_tokens")
KNOWN = (
    "'say <text>'",
    *(f"'fail {code}'" for code in ERRORS),
    *(f"'incomplete {reason}'" for reason in REASONS),
    "'expire'",
    "'stall'",
)

CHARACTERS_PER_TOKEN = 4
CACHED_FROM = 1_024
CACHED_BLOCK = 128


class Script(Struct, frozen=True):
    """A fate, read: words to say, or an early end, or (with neither) silence."""

    says: str = ""
    ends: Fate | None = None


class Brief(Struct, frozen=True):
    """What a run is to answer."""

    question: str
    """The thread's last user message."""
    prompt_tokens: int
    """The tokens of everything the run reads at its start."""


def script(metadata: Metadata) -> Script | None:
    """The fate that a run's metadata names; raises Refused where it is none of those known."""
    if KEY not in metadata:
        return None
    verb, _, rest = metadata[KEY].partition(" ")
    match verb:
        case "say" if rest.strip():
            return Script(says=rest)
        case "fail" if rest in ERRORS:
            return Script(ends=failed(LastError(rest, ERRORS[rest])))
        case "incomplete" if rest in REASONS:
            return Script(ends=incomplete(rest))
        case "expire" if not rest:
            return Script(ends=EXPIRED)
        case "stall" if not rest:
            return Script()
        case _:
            raise _unknown(metadata[KEY])


def _unknown(given: str) -> Refused:
    message = f"Invalid value for 'metadata.{KEY}': '{given[:80]}'. Expected one of {', '.join(KNOWN)}."
    return Refused(400, message, param=f"metadata.{KEY}", code="invalid_value")


def count(text: str) -> int:
    """How many tokens a text counts for."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def first_leg(acts: Acts, thread: Thread | None, brief: Brief, chance: Chance) -> list[Beat]:
    """From creation to the first pause or the end; `thread` is announced where it came with the run."""
    fated = script(acts.draft.scene.run.metadata)
    acts.begin(thread)
    if fated is None:
        _think(acts, brief, chance)
    elif fated.says:
        _speak(acts, fated.says, brief.prompt_tokens)
    elif fated.ends is not None:
        _break_off(acts, fated.ends, brief, chance)
    return acts.draft.beats


def _think(acts: Acts, brief: Brief, chance: Chance) -> None:
    calls = mind.wanted(acts.draft.scene.run, brief.question)
    if calls:
        acts.ask(calls)
    else:
        _speak(acts, mind.answer(brief.question, chance), brief.prompt_tokens)


def _speak(acts: Acts, text: str, prompt_tokens: int) -> None:
    acts.write(text)
    acts.finish(_usage(prompt_tokens, count(text)))


def _break_off(acts: Acts, fate: Fate, brief: Brief, chance: Chance) -> None:
    """Half a message, then the end; a run that stopped at a bound has used tokens, one that broke has not."""
    words = pieces(mind.answer(brief.question, chance))
    half = "".join(words[: len(words) // 2])
    acts.write(half)
    close(acts.draft, fate, _usage(brief.prompt_tokens, count(half)) if fate.incomplete else None)


def next_leg(acts: Acts, outputs: Mapping[str, str], brief: Brief) -> list[Beat]:
    """From the tool outputs to the end; `outputs` holds one for each call that waits."""
    calls = [call.function for call in acts.draft.scene.answered(outputs).calls]
    asked = sum(count(call.name + call.arguments) for call in calls)
    acts.resume(outputs, _usage(brief.prompt_tokens, asked))
    told = sum(count(output) for output in outputs.values())
    _speak(acts, mind.answer_from(calls), brief.prompt_tokens + asked + told)
    return acts.draft.beats


def _usage(prompt: int, completion: int) -> Usage:
    cached = prompt // CACHED_BLOCK * CACHED_BLOCK if prompt >= CACHED_FROM else 0
    return tokens(prompt, completion, cached)


def new_acts(scene: Scene, at_s: float, chance: Chance, options: SandboxOptions) -> Acts:
    """Acts that go on from this scene at this time."""
    return Acts(Draft(scene, at_s), chance, options)
