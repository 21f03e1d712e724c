"""What several schemas that hold at once say together: bounds intersect, names unite, subschemas add up.

A value's *parts* are all the schemas it must satisfy after references and combinations are followed. Nothing is
ever merged into one schema, since `additionalProperties` speaks of the `properties` beside it alone. Keywords
with values that make no sense say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.schema import languages
from wiretape.sandbox.schema.budget import Budget
from wiretape.sandbox.schema.patterns import language

Parts = Sequence[JsonObject]

KINDS = ("string", "object", "array", "integer", "number", "boolean", "null")
_KEYWORDS = {
    "object": frozenset({"properties", "required", "additionalProperties", "patternProperties", "minProperties"}),
    "array": frozenset({"items", "prefixItems", "minItems", "uniqueItems", "contains"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}


def kinds(parts: Parts) -> list[str]:
    """The types allowed, in the first schema's order with null last; a likely one first where none is named."""
    if len(parts) == 1 and parts[0].get("type") in KINDS:
        return [parts[0]["type"]]
    named = [_named(part["type"]) for part in parts if "type" in part] or [_likely(parts)]
    wider = [*named[0], *(["integer"] if "number" in named[0] else [])]
    found = dict.fromkeys(one for one in wider if all(_admits(other, one) for other in named))
    if "number" in found:
        found.pop("integer", None)
    return sorted(found, key=lambda one: one == "null")


def _admits(names: list[str], kind: str) -> bool:
    return kind in names or (kind == "integer" and "number" in names)


def _named(given: Json) -> list[str]:
    several = given if isinstance(given, list) else [given]
    found = [one for one in several if isinstance(one, str) and one in KINDS]
    return found or list(KINDS)


def _likely(parts: Parts) -> list[str]:
    """All types, first the one whose keywords are used."""
    used = (kind for kind, keywords in _KEYWORDS.items() for part in parts if not keywords.isdisjoint(part))
    likely = next(used, "string")
    return [likely, *(one for one in KINDS if one not in {likely, "integer"})]


def choices(parts: Parts) -> list[Json] | None:
    """What `const` or the first `enum` offers; None without one."""
    for part in parts:
        if "const" in part:
            return [part["const"]]
    return next((part["enum"] for part in parts if isinstance(part.get("enum"), list)), None)


def is_number(value: Json) -> bool:
    """Whether this is a number of JSON."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)  # an int may be larger than any double


def number(value: Json) -> Fraction | None:
    """A number exactly as its decimal digits say; None for anything else."""
    if not is_number(value):
        return None
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def numbers_at(parts: Parts, keyword: str) -> list[float]:
    """All numbers given with a keyword."""
    return [part[keyword] for part in parts if keyword in part and is_number(part[keyword])]


def least(parts: Parts, keyword: str, otherwise: int = 0) -> int:
    """The greatest lower bound on a count."""
    return math.ceil(max(numbers_at(parts, keyword), default=otherwise))


def most(parts: Parts, keyword: str, otherwise: int) -> int:
    """The smallest upper bound on a count."""
    return math.floor(min(numbers_at(parts, keyword), default=otherwise))


def texts_at(parts: Parts, keyword: str) -> list[str]:
    """All texts given with a keyword."""
    return [part[keyword] for part in parts if isinstance(part.get(keyword), str)]


def objects_at(parts: Parts, keyword: str) -> list[JsonObject]:
    """All objects given with a keyword."""
    return [part[keyword] for part in parts if isinstance(part.get(keyword), dict)]


def required(parts: Parts) -> list[str]:
    """All names that must be there, each once."""
    lists = (part["required"] for part in parts if isinstance(part.get("required"), list))
    return list(dict.fromkeys(name for names in lists for name in names if isinstance(name, str)))


def property_schemas(parts: Parts, name: str, budget: Budget) -> Iterator[Json]:
    """Every schema that a property of this name must satisfy. Raises Unknown and Exhausted."""
    for part in parts:
        known = False
        if isinstance(part.get("properties"), dict) and name in part["properties"]:
            known = True
            yield part["properties"][name]
        if isinstance(part.get("patternProperties"), dict):
            for pattern, schema in part["patternProperties"].items():
                if languages.matches(language(pattern), name, budget):
                    known = True
                    yield schema
        if not known and "additionalProperties" in part:
            yield part["additionalProperties"]


def item_schemas(parts: Parts, index: int) -> Iterator[Json]:
    """Every schema that the item at an index must satisfy; `items` as a list is the older `prefixItems`."""
    for part in parts:
        older = isinstance(part.get("items"), list)
        prefix = part["items"] if older else part.get("prefixItems")
        beyond = part.get("additionalItems", True) if older else part.get("items", True)
        yield prefix[index] if isinstance(prefix, list) and index < len(prefix) else beyond


def prefix_length(parts: Parts) -> int:
    """How many items have a place of their own."""
    lists = (part.get(keyword) for part in parts for keyword in ("prefixItems", "items"))
    return max((len(one) for one in lists if isinstance(one, list)), default=0)


def referred(root: Json, reference: str) -> Json:
    """What a local reference points at (RFC 6901 in a fragment); None where it points nowhere."""
    found: Json = root if reference.startswith("#") else None
    for step in reference.lstrip("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(key)] if key.isdecimal() and int(key) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found if reference == "#" or "/" in reference else None
