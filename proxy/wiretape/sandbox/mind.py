"""The sandbox's mind: what to say, and when to use a tool. Scripted, friendly, and always the same.

A tool is used when the tool choice insists. Else files are searched where there are any; code is run where the
words ask for it; and a function is called where a subject word of its name or description stands in the
message. An answer is made of what tools have given; any other answer says honestly what the sandbox is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wiretape.sandbox import reckoning
from wiretape.sandbox.acts import Act, Call, Reply, Search, Wanted
from wiretape.sandbox.arguments import arguments, formatted
from wiretape.sandbox.calls import CalledFunction, Result
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import CodeInterpreter, FileSearch, Function, FunctionTool, JsonObject
from wiretape.sandbox.plot import Known, Shelf
from wiretape.sandbox.words import Hints, name_words, subjects
from wiretape.sandbox.work import NamedTool, Run

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


REPLY = Reply(reply=True)


def decide(run: Run, question: str, shelf: Shelf) -> tuple[Act, ...]:
    """The acts that answer a question: tools where they are called for, and then a reply."""
    acts = [*_hosted(run, question, shelf), *_calls(run, question)]
    if not acts and run.tool_choice == "required":
        acts = _any(run, question, shelf)
    return (*acts, REPLY)


def _hosted(run: Run, question: str, shelf: Shelf) -> list[Act]:
    kinds = {type(tool) for tool in run.tools}
    match run.tool_choice:
        case NamedTool(type="file_search") if FileSearch in kinds:
            return [Search("")]
        case NamedTool(type="code_interpreter") if CodeInterpreter in kinds:
            return [reckoning.code(question, shelf)]
        case NamedTool() | "none":
            return []
    searches = FileSearch in kinds and shelf.searchable and not is_greeting(question)
    reckons = CodeInterpreter in kinds and reckoning.wants_code(question, shelf.readable)
    return [*([Search("")] if searches else []), *([reckoning.code(question, shelf)] if reckons else [])]


def _calls(run: Run, question: str) -> list[Act]:
    names = wanted(run, question)
    if run.parallel_tool_calls and names:
        return [Call(tuple(Wanted(name) for name in names))]
    return [Call((Wanted(name),)) for name in names]


def _any(run: Run, question: str, shelf: Shelf) -> list[Act]:
    """Any tool, where one is required and none is called for: the first there is."""
    match next(iter(run.tools), None):
        case FunctionTool(function=function):
            return [Call((Wanted(function.name),))]
        case FileSearch():
            return [Search("")]
        case CodeInterpreter():
            return [reckoning.code(question, shelf)]
        case _:
            return []


def wanted(run: Run, question: str) -> list[str]:
    """The names of the functions that the question or the tool choice calls for."""
    match run.tool_choice:
        case "none":
            return []
        case NamedTool(function=named):
            return [one.name for one in _functions(run) if named is not None and one.name == named.name][:1]
        case _:
            said = subjects(question)
            return [one.name for one in _functions(run) if _fits(one, said)]


def made_arguments(run: Run, name: str, offered: Hints, among: int = 1) -> str:
    """Arguments for a function of the run's, one `among` so many, as its schema wants them; `{}` for any other."""
    known = next((one for one in _functions(run) if one.name == name), None)
    return arguments(_schema(known), offered, strict=known.strict is True, among=among) if known else "{}"


def _functions(run: Run) -> list[Function]:
    return [tool.function for tool in run.tools if isinstance(tool, FunctionTool)]


def _fits(function: Function, said: frozenset[str]) -> bool:
    named = subjects(" ".join(name_words(function.name)))
    return bool(said & named) or bool(said & subjects(_described(function)))


def _described(function: Function) -> str:
    return function.description if isinstance(function.description, str) else ""


def _schema(function: Function) -> JsonObject:
    return function.parameters if isinstance(function.parameters, dict) else {}


def reply(run: Run, question: str, known: Known, chance: Chance) -> str | None:
    """An answer in the form that the run asks for; None where its schema allows nothing the sandbox knows."""
    if is_json(run):
        return formatted(run.response_format, question)
    if known.told:
        return answer_from(known.told)
    if known.logs or known.images:
        return f"I have run some code. It says: {' '.join(' '.join(known.logs).split()) or 'nothing, but see'}."
    if known.results:
        return _quoted(known.results[0])
    if known.searched:
        return "I have looked in the files, and found nothing about this."
    return answer(question, chance)


def is_json(run: Run) -> bool:
    """Whether the run's answers are to be JSON."""
    form = run.response_format
    return isinstance(form, dict) and form.get("type") in {"json_object", "json_schema"}


def _quoted(result: Result) -> str:
    passages = " ".join(passage.text for passage in result.content or ())
    return f"In {result.file_name} it says: {_shortened(' '.join(passages.split()), OUTPUT_MAX)}"


def is_greeting(question: str) -> bool:
    """Whether somebody only says hello."""
    return bool({word.strip(".,!?").casefold() for word in question.split()[:2]} & GREETINGS)


def answer(question: str, chance: Chance) -> str:
    """A friendly answer to a question that no tool is called for."""
    if is_greeting(question):
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
