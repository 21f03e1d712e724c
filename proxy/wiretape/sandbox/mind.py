"""The sandbox's mind: what to say, and when to ask for a tool. Scripted, friendly, and always the same.

A function is called for when the tool choice insists, or when a subject word of its name or description
stands in the message. An answer after tool outputs is made of them; any other answer says honestly what the
sandbox is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wiretape.sandbox.arguments import arguments
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.objects import Function, FunctionTool, Json, JsonObject
from wiretape.sandbox.words import hints, name_words, subjects
from wiretape.sandbox.work import CalledFunction, NamedTool, Run, WantedFunction

QUOTED_MAX = 80
OUTPUT_MAX = 400

GREETINGS = frozenset({"hello", "hey", "howdy", "hi", "moin", "servus", "bonjour", "hola", "hallo"})

UNITS = {
    "c": "°C",
    "celsius": "°C",
    "f": "°F",
    "fahrenheit": "°F",
    "km": "km",
    "kmh": "km/h",
    "m": "m",
    "mm": "mm",
    "percent": "%",
}
"""Units by the last word of a key."""

HELLO = "Hello! I am the sandbox's assistant: scripted, but glad to meet you. What would you like to know?"
ANSWERS = (
    """You asked: “{question}” I am a scripted stand-in and know little of the world, but I stream, count my tokens
and end my runs just as the hosted service did.""",
    """Thank you for asking. A model would now answer “{question}” The sandbox sends you these words instead, one
delta at a time, so that your application has something to show.""",
    """Good question: “{question}” I have no model behind me, only a seed and good manners. Everything around this
answer, though, is the real protocol.""",
    """“{question}” Noted! This is the sandbox speaking: same question, same seed, same answer, every time you ask.""",
)


def wanted(run: Run, question: str) -> list[WantedFunction]:
    """The function calls the question asks for; empty where a text answer will do."""
    functions = [tool.function for tool in run.tools if isinstance(tool, FunctionTool)]
    chosen = _chosen(run, functions, question)
    offered = hints(question)
    return [WantedFunction(one.name, arguments(_schema(one), offered)) for one in chosen]


def _chosen(run: Run, functions: Sequence[Function], question: str) -> Sequence[Function]:
    match run.tool_choice:
        case "none":
            return ()
        case NamedTool(function=named):
            return [one for one in functions if named is not None and one.name == named.name][:1]
        case choice:
            fitting = [one for one in functions if _fits(one, question)]
            fallback = functions[:1] if choice == "required" else ()
            return (fitting if run.parallel_tool_calls else fitting[:1]) or fallback


def _fits(function: Function, question: str) -> bool:
    said = subjects(question)
    named = subjects(" ".join(name_words(function.name)))
    return bool(said & named) or bool(said & subjects(_described(function)))


def _described(function: Function) -> str:
    return function.description if isinstance(function.description, str) else ""


def _schema(function: Function) -> JsonObject:
    return function.parameters if isinstance(function.parameters, dict) else {}


def answer(question: str, chance: Chance) -> str:
    """A friendly answer to a question that no tool is called for."""
    if {word.strip(".,!?").casefold() for word in question.split()[:2]} & GREETINGS:
        return HELLO
    template = chance.pick(ANSWERS).replace("\n", " ")
    return template.format(question=_shortened(" ".join(question.split()), QUOTED_MAX) or "…")


def answer_from(calls: Sequence[CalledFunction]) -> str:
    """An answer made of what the tools said."""
    found = " ".join(_told(call) for call in calls)
    return f"Here is what I found. {found} Is there anything else you would like to know?"


def _told(call: CalledFunction) -> str:
    subject = " ".join(name_words(call.name)) or call.name
    given = _parsed(call.arguments)
    texts = [one for one in given.values() if isinstance(one, str)] if isinstance(given, dict) else []
    about = [text for text in texts if not text[:1].islower()]  # names, rather than units and options
    named = f"{subject[:1].upper()}{subject[1:]}{' for ' if about else ''}{', '.join(about)}"
    said = _spoken(_parsed(call.output or ""), about) or "no answer"
    return f"{named}: {_shortened(said, OUTPUT_MAX).rstrip('.')}."


def _parsed(text: str) -> Json:
    """JSON where it is JSON, the text itself where it is not."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _spoken(value: Json, known: Sequence[str]) -> str:
    """A value in words, one level deep; what is known from the question is not said again."""
    if isinstance(value, dict):
        return ", ".join(_field(str(key), one) for key, one in value.items() if one not in known)
    if isinstance(value, list):
        return ", ".join(_flat(one) for one in value)
    return _flat(value)


def _field(key: str, value: Json) -> str:
    """`temperature_c` and 21 as "temperature 21 °C"."""
    words = key.split("_")
    unit = UNITS.get(words[-1].casefold(), "")
    named = words[:-1] if unit else words
    return " ".join([*named, _flat(value), *([unit] if unit else [])])


def _flat(value: Json) -> str:
    return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def _shortened(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else f"{text[: length_max - 1].rstrip()}…"
