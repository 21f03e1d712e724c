"""Who may ask, and how: the key, the beta header and the media type, refused in the hosted service's words."""

from __future__ import annotations

from wiretape.sandbox.refusals import Refused

MEDIA_TYPE = "application/json"
KEYS_AT = "https://platform.openai.com/account/api-keys"
MIGRATION = "https://platform.openai.com/docs/assistants/migration"
SHOWN_FIRST, SHOWN_LAST = 8, 4
"""Characters of a wrong key that its refusal shows."""

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the "
    f"API from your browser and are prompted for a username and password. You can obtain an API key from {KEYS_AT}."
)
TRY_V2 = "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
NO_BETA = f"You must provide the 'OpenAI-Beta' header to access the Assistants API. {TRY_V2}"
OLD_BETA = (
    f"The v1 Assistants API has been deprecated. {TRY_V2} See the migration guide for more information: {MIGRATION}."
)


def check_key(authorization: str, api_key: str | None) -> str:
    """The bearer key. Raises Refused where there is none, or another than `api_key`; None lets in any."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer" or not (given := given.strip()):
        raise Refused(401, NO_KEY)
    if api_key is not None and given != api_key:
        message = f"Incorrect API key provided: {masked(given)}. You can find your API key at {KEYS_AT}."
        raise Refused(401, message, code="invalid_api_key")
    return given


def masked(key: str) -> str:
    """A key as a refusal shows it: both ends and a star for each character between, of a short one the first only."""
    if len(key) <= SHOWN_FIRST:
        return key[:1] + "*" * (len(key) - 1)
    last = key[SHOWN_FIRST + 1 :][-SHOWN_LAST:]
    return key[:SHOWN_FIRST] + "*" * (len(key) - SHOWN_FIRST - len(last)) + last


def check_beta(header: str | None) -> None:
    """Raise Refused without the header of the Assistants API, version 2; it may name other betas beside."""
    named = {one.strip() for one in (header or "").split(",")}
    if "assistants=v2" not in named:
        raise Refused(400, OLD_BETA if "assistants=v1" in named else NO_BETA, code="invalid_beta")


def check_media_type(header: str | None) -> None:
    """Raise Refused for a body that says it is not JSON; one that says nothing is read."""
    given = (header or MEDIA_TYPE).partition(";")[0].strip().lower()
    if given != MEDIA_TYPE:
        message = (
            f"Unsupported content type: '{given}'. This API method only accepts '{MEDIA_TYPE}' requests, but you "
            f"specified the header 'Content-Type: {given}'. Please try again with a supported content type."
        )
        raise Refused(400, message, code="unsupported_content_type")
