"""The API's errors: what is refused, in the words and the four keys that SDKs parse (reference 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from wiretape.errors import WiretapeError

NAMED_MAX = 64
"""Characters of a name or a value that a message repeats; of a longer one it shows both ends."""


class ErrorBody(Struct, frozen=True):
    """The four keys, all always there."""

    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None


class Detail(Struct, frozen=True):
    """What the files endpoints say a second time beside the error."""

    message: str
    code: str | None = None


class Refusal(Struct, frozen=True):
    """An error's whole body."""

    error: ErrorBody
    detail: Detail | UnsetType = UNSET


class Refused(WiretapeError):
    """A request the sandbox answers with an error; `body` is the answer."""

    code = "sandbox_refused"

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = Refusal(ErrorBody(message, param=param, code=code))
        self.retry_after_s: int | None = None


def rehearsed(status: int, body: ErrorBody, retry_after_s: int | None) -> Refused:
    """What a script or a run's metadata has asked to be answered, whatever the request."""
    refused = Refused(status, body.message)
    refused.body = Refusal(body)
    refused.retry_after_s = retry_after_s
    return refused


def unknown(kind: str, given: str) -> Refused:
    """No object has this id."""
    return Refused(404, f"No {kind} found with id '{given}'.")


def no_file(file_id: str) -> Refused:
    """No file has this id, said as the files endpoints say it."""
    refused = Refused(404, f"No such File object: {file_id}", param="id")
    refused.body = replace(refused.body, detail=Detail(refused.body.error.message))
    return refused


def missing(param: str) -> Refused:
    """A parameter is required and was not sent."""
    return Refused(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def unexpected(param: str) -> Refused:
    """A parameter was sent that the endpoint does not know."""
    return Refused(400, f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def invalid(param: str, why: str, code: str = "invalid_value") -> Refused:
    """A parameter has a value that cannot be."""
    return Refused(400, f"Invalid '{param}': {why}", param=param, code=code)


def wrong_type(param: str, expected: str, got: str) -> Refused:
    """A parameter has a value of another type; without a name it is the whole body."""
    named = f"'{param}'" if param else "the request body"
    message = f"Invalid type for {named}: expected {expected}, but got {got} instead."
    return Refused(400, message, param=param or None, code="invalid_type")


def unsupported(param: str, given: str, known: Sequence[str]) -> Refused:
    """A parameter is none of the values it may be."""
    message = f"Invalid value: '{elided(given)}'. Supported values are: {listed(known, 'and')}."
    return Refused(400, message, param=param, code="invalid_value")


def misnamed(param: str, given: str, prefix: str) -> Refused:
    """A parameter names an object of another kind."""
    return invalid(param, f"'{elided(given)}'. Expected an ID that begins with '{prefix}'.")


def out_of_range(param: str, given: float, bound: float, *, number: str) -> Refused:
    """A parameter passes a bound; `number` is `integer` or `decimal`."""
    side, length, sign = ("above", "max", "<=") if given > bound else ("below", "min", ">=")
    why = (
        f"{number} {side} {length}imum value. Expected a value {sign} {bound:g}, but got {elided(str(given))} instead."
    )
    return invalid(param, why, f"{number}_{side}_{length}_value")


def too_long(param: str, what: str, length: int, bound: int) -> Refused:
    """A string or an array has too many characters or items; `what` is `string` or `array`."""
    a_what = f"an {what}" if what == "array" else f"a {what}"
    expected = f"Expected {a_what} with maximum length {bound}, but got {a_what} with length {length} instead."
    why = f"{what} too long. {expected}"
    return invalid(param, why, f"{what}_above_max_length")


def empty(param: str, what: str) -> Refused:
    """A string or an array holds nothing and must; `what` is `string` or `array`."""
    a = "an" if what == "array" else "a"
    why = f"empty {what}. Expected {a} {what} with minimum length 1, but got an empty {what} instead."
    return invalid(param, why, f"empty_{what}")


def too_many(param: str, count: int, bound: int) -> Refused:
    """An object has too many keys."""
    why = f"Expected an object with at most {bound} properties, but got an object with {count} properties instead."
    return invalid(param, f"too many properties. {why}", "object_above_max_properties")


def long_name(param: str, name: str, bound: int) -> Refused:
    """A key of an object is too long."""
    why = f"Expected a string with maximum length {bound}, but got a string with length {len(name)} instead."
    message = f"Invalid property name in '{param}': '{elided(name)}' is too long. {why}"
    return Refused(400, message, param=f"{param}.{name}", code="property_name_above_max_length")


def mismatch(param: str, pattern: str) -> Refused:
    """A string is not formed as it must be; the pattern is told with `$`, as others spell the very end."""
    told = pattern.replace(r"\Z", "$")
    return invalid(param, f"string does not match pattern. Expected a string that matches the pattern '{told}'.")


def full(option: str, bound: int) -> Refused:
    """A bound of the sandbox is reached; `option` names it."""
    return Refused(
        400,
        f"The sandbox is full: {option} is {bound}. Delete what is no longer needed, or raise it.",
        code="sandbox_full",
    )


def listed(values: Sequence[str], word: str) -> str:
    """Values quoted and joined as in English, `word` before the last: `'a', 'b', and 'c'`."""
    *firsts, last = [f"'{value}'" for value in values]
    comma = "," if len(firsts) > 1 else ""
    return f"{', '.join(firsts)}{comma} {word} {last}" if firsts else last


def elided(text: str) -> str:
    """The text, or of a long one its two ends."""
    return text if len(text) <= NAMED_MAX else f"{text[:3]}...{text[-3:]}"
