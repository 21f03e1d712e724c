"""The API's errors: what is refused, in the words and the four keys that SDKs parse (reference 3.3)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from wiretape.errors import WiretapeError


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


def misnamed(param: str, given: str, prefix: str) -> Refused:
    """An id is not of the kind that belongs here."""
    why = f"Invalid '{param}': '{given}'. Expected an ID that begins with '{prefix}'."
    return Refused(400, why, param=param, code="invalid_value")


def too_long(param: str, most: int, given: int) -> Refused:
    """A list holds more than it may."""
    why = f"array too long. Expected an array with maximum length {most}, but got an array with length {given} instead."
    return invalid(param, why, "array_above_max_length")


def missing(param: str) -> Refused:
    """A parameter is required and was not sent."""
    return Refused(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def invalid(param: str, why: str, code: str = "invalid_value") -> Refused:
    """A parameter has a value that cannot be."""
    return Refused(400, f"Invalid '{param}': {why}", param=param, code=code)


def full(option: str, bound: int) -> Refused:
    """A bound of the sandbox is reached; `option` names it."""
    return Refused(
        400,
        f"The sandbox is full: {option} is {bound}. Delete what is no longer needed, or raise it.",
        code="sandbox_full",
    )
