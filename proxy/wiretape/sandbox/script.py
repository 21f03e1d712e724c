"""Scripts: what runs are to do, and which requests are to be refused, told in a file or in a run's metadata.

A script is TOML or JSON. Of its `[[run]]` tables the first that fits a run gives its acts; `[[refuse]]` tables
refuse requests over HTTP. A run's own metadata, under the key `sandbox`, comes before any script. Without either
the run does what the sandbox's mind would do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from wiretape.errors import ConfigError
from wiretape.sandbox.acts import REFUSED, REFUSED_TYPE, Act, ActError, Refuse, Think, in_words, read
from wiretape.sandbox.objects import Assistant, Metadata
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.work import Run

KEY = "sandbox"
THINK = (Think(think=True),)
RULES_MAX = 1_000
Rules = Annotated[tuple[dict[str, Any], ...], Meta(max_length=RULES_MAX)]


class When(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs a rule is for: those to which all that is given applies."""

    says: str | None = None
    """Words in the question, whatever their case."""
    assistant: str | None = None
    """The assistant's name or id."""
    model: str | None = None
    metadata: Metadata = {}

    def fits(self, run: Run, assistant: Assistant, question: str) -> bool:
        """Whether a run is one of them."""
        return (
            (self.says is None or self.says.casefold() in question.casefold())
            and self.assistant in {None, assistant.name, assistant.id}
            and self.model in {None, run.model}
            and self.metadata.items() <= run.metadata.items()
        )


class RunRule(Struct, frozen=True):
    """What runs of a kind are to do."""

    when: When
    acts: tuple[Act, ...]

    @property
    def refuses(self) -> bool:
        """Whether such runs are not created."""
        return any(isinstance(act, Refuse) for act in self.acts)


class RefuseRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Requests to refuse: after the first `after` that fit, `times` of them, or all."""

    status: Annotated[int, Meta(ge=400, le=599)]
    method: str = "*"
    path: str = "*"
    """A path in which `*` stands for anything."""
    after: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] | None = None
    message: str = REFUSED
    type: str = REFUSED_TYPE
    error_code: str | None = None
    retry_after_s: Annotated[int, Meta(ge=0, le=600)] | None = None

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is one of them."""
        pattern = ".*".join(map(re.escape, self.path.split("*")))
        return self.method in {"*", method} and re.fullmatch(pattern, path) is not None


class Script(Struct, frozen=True):
    """Rules, in the order in which they are tried."""

    runs: tuple[RunRule, ...] = ()
    refusals: tuple[RefuseRule, ...] = ()
    refuses_runs: bool = False
    """Whether any rule for runs does."""


class _Sent(Struct, frozen=True, forbid_unknown_fields=True):
    run: Rules = ()
    refuse: Annotated[tuple[RefuseRule, ...], Meta(max_length=RULES_MAX)] = ()


def load(path: Path) -> Script:
    """The script in a file; JSON where its name ends so, else TOML. Raises ConfigError, which names the place."""
    try:
        text = path.read_text("utf-8")
        told = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        return script(told)
    except OSError as error:
        raise ConfigError(f"cannot read the script {path}: {error.strerror}") from error
    except (ActError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error


def script(told: object) -> Script:
    """A script from what was parsed. Raises ActError or msgspec.ValidationError, which name the place."""
    sent = msgspec.convert(told, _Sent)
    rules = tuple(_rule(one, f"run[{number}]") for number, one in enumerate(sent.run))
    return Script(rules, sent.refuse, refuses_runs=any(rule.refuses for rule in rules))


def _rule(told: Mapping[str, Any], where: str) -> RunRule:
    if unknown := sorted(set(told) - {"when", "acts"}):
        raise ActError(f"{where} has the unknown key {unknown[0]}; known are when, acts")
    try:
        when = msgspec.convert(told.get("when", {}), When)
    except msgspec.ValidationError as error:
        raise ActError(f"{where}.when: {error}") from error
    return RunRule(when, read(told.get("acts", []), f"{where}.acts"))


def told_in(metadata: Metadata) -> tuple[Act, ...] | None:
    """The acts that a run's metadata tells; None where it tells nothing. Raises Refused where it cannot be read."""
    if KEY not in metadata:
        return None
    try:
        return in_words(metadata[KEY], f"metadata.{KEY}")
    except ActError as error:
        param = f"metadata.{KEY}"
        raise Refused(400, f"Invalid value for '{param}': {error}.", param=param, code="invalid_value") from error


def acts_for(run: Run, assistant: Assistant, question: str, rules: Script) -> tuple[Act, ...]:
    """What a run is to do: its metadata's acts, else those of the first rule that fits, else what comes to mind."""
    own = told_in(run.metadata)
    if own is not None:
        return own
    return next((rule.acts for rule in rules.runs if rule.when.fits(run, assistant, question)), THINK)
