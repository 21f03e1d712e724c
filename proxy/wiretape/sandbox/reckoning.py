"""Code for the code interpreter to run, and what it prints: honest, since it is worked out here by the same rule."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape.sandbox.acts import Code
from wiretape.sandbox.plot import Shelf, Stored
from wiretape.sandbox.words import hints, subjects

ASKED = subjects(
    "add analyse analyze average calculate chart code compute count csv draw graph mean plot python sum total"
)
"""Words that ask for code."""
DRAWN = subjects("chart draw graph plot picture")
"""Words that ask for a picture."""
WRITTEN = subjects("csv download export file save")
"""Words that ask for a file."""
NUMBERS_MAX = 20


def wants_code(question: str, files: Sequence[Stored]) -> bool:
    """Whether a question is one for the code interpreter."""
    said = subjects(question)
    return bool(said & ASKED) or bool(files and said & WRITTEN)


def code(question: str, shelf: Shelf) -> Code:
    """Sum the question's numbers; without numbers count a file's lines; without files count the words."""
    said = subjects(question)
    source, printed = _worked_out(question, shelf)
    if said & DRAWN:
        source += "\nplt.plot(values)"
    if said & WRITTEN and not shelf.readable:
        content = f"value\n{printed}"
        return Code(code=source, logs=printed, image=bool(said & DRAWN), file="result.csv", content=content)
    return Code(code=source, logs=printed, image=bool(said & DRAWN))


def _worked_out(question: str, shelf: Shelf) -> tuple[str, str]:
    if numbers := [_plain(one) for one in hints(question).numbers[:NUMBERS_MAX]]:
        return f"values = {numbers}\nprint(sum(values))", f"{_plain(sum(numbers))}\n"
    for file in shelf.readable[:1]:
        lines = shelf.text(file.id).splitlines()
        return f"values = open('/mnt/data/{file.id}').readlines()\nprint(len(values))", f"{len(lines)}\n"
    words = question.split()
    return f"values = {question!r}.split()\nprint(len(values))", f"{len(words)}\n"


def _plain(number: float) -> float:
    """A whole number without its point."""
    return int(number) if float(number).is_integer() else round(number, 6)
