"""Who may ask the admin listener: a pure decision over a request's head, and the rule of each route."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from wiretape.errors import AdminForbidden, AdminUnauthorized

LOCALHOST = "localhost"
_LOOPBACK = frozenset({LOCALHOST, "127.0.0.1", "::1"})
_OWN_SITE = frozenset({"same-origin", "none"})
# Not `urlsplit`: that of Python 3.11.7 takes `evil.test[::1]` for `::1`.
_HOST = re.compile(
    r"(?:\[(?P<six>(?:[0-9A-Fa-f]*:){2}[0-9A-Fa-f:.]*(?:%[\w.%-]+)?)\]|(?P<other>[^\s\[\]@:/?#\\]+))(?::[0-9]{0,5})?"
)
TOKEN_LENGTH_MIN = 16


class Rule(Enum):
    """Whom a route of the admin listener answers."""

    OPEN = "open"
    """Everybody: probes and scrapers call by whatever name and know no token."""
    GUARDED = "guarded"
    """Whoever calls us by a name of ours, from no other site, with the token where one is set."""


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "/healthz": Rule.OPEN,
        "/readyz": Rule.OPEN,
        "/metrics": Rule.OPEN,
        "/api/state": Rule.GUARDED,
        "/api/sessions": Rule.GUARDED,
        "/api/sessions/{name}": Rule.GUARDED,
        "/api/sessions/{name}/reset": Rule.GUARDED,
        "/api/sessions/{name}/assert": Rule.GUARDED,
    }
)
"""The rule of each route; what is not here is guarded, and a test fails for a route that is not."""


class Asked(Struct, frozen=True):
    """What is looked at in a request's head; each field as often as it came."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    """`Sec-Fetch-Site`, which browsers send and pages cannot set."""
    authorizations: tuple[str, ...] = ()
    local: str = LOCALHOST
    """The address of ours that the connection came to."""


class Guard(Struct, frozen=True):
    """What admission goes by."""

    token: str | None = None
    names: tuple[str, ...] = ()
    """Names beside our own addresses and `localhost` that a `Host` may have (`admin_hosts`)."""

    def check(self, asked: Asked) -> None:
        """Admit a request to a guarded route; raises AdminForbidden or AdminUnauthorized, which tell no more.

        A page whose name was made to point at us (DNS rebinding) comes with its own `Host`; one of another site with
        its own `Origin` or `Sec-Fetch-Site` (Fetch Metadata section 2).
        """
        if not self._is_known(asked) or not _is_own_site(asked):
            raise AdminForbidden("this request is not allowed here")
        if self.token is not None and not _shows(asked.authorizations, self.token):
            raise AdminUnauthorized("the admin token is needed: Authorization: Bearer <token>")

    def _is_known(self, asked: Asked) -> bool:
        name = host_of(asked.hosts[0]) if len(asked.hosts) == 1 else None
        return name is not None and name in {*_LOOPBACK, plain(asked.local), *map(plain, self.names)}


def host_of(field: str) -> str | None:
    """Take the host out of a `Host` field, in lower case and without port and brackets; None where it is none."""
    found = _HOST.fullmatch(field)
    return found and plain(found["six"] or found["other"])


def plain(host: str) -> str:
    """Write an address in its shortest form, an IPv4 one as such also where IPv6 carries it.

    Without a zone: that names an interface of whoever writes it (RFC 6874 section 1), and clients leave it out.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower()
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def name_problem(name: str) -> str | None:
    """Tell what is wrong with a name in `admin_hosts`: one that no `Host` can have would let nobody in."""
    if plain(name) in {host_of(name), host_of(f"[{name}]")}:
        return None
    return f"admin_hosts holds names and addresses, without scheme, port and brackets; got {name!r}"


def token_problem(token: str) -> str | None:
    """Tell what is wrong with a token, without repeating it."""
    if len(token) < TOKEN_LENGTH_MIN or not all("!" <= character <= "~" for character in token):
        return f"admin_token is {TOKEN_LENGTH_MIN} or more visible ASCII characters, without spaces"
    return None


def _is_own_site(asked: Asked) -> bool:
    own = asked.hosts[0].lower()
    origins = {origin.lower().partition("://")[2] for origin in asked.origins}  # nothing is left of `null`
    return origins <= {own} and {site.lower() for site in asked.sites} <= _OWN_SITE


def _shows(authorizations: tuple[str, ...], token: str) -> bool:
    if len(authorizations) != 1:
        return False
    scheme, _, shown = authorizations[0].partition(" ")
    # In constant time, and as bytes: text that is not ASCII would raise.
    same = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), token.encode())
    return same and scheme.lower() == "bearer"
