"""The `format`s that texts are made for: each an example, and a pattern all of whose texts are of that format."""

from __future__ import annotations

from msgspec import Struct


class Format(Struct, frozen=True):
    """An example is given where nothing speaks against it; the pattern is narrower than the format."""

    example: str
    pattern: str


_DAY = "20[0-9]{2}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?(Z|[+-](0[0-9]|1[0-2]):00)"
_BOX = "[A-Za-z0-9_-]"
_HOST = "[a-z]([a-z0-9-]*[a-z0-9])?"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = "[0-9a-fA-F]"

FORMATS = {
    "date": Format("2026-01-15", f"^{_DAY}$"),
    "date-time": Format("2026-01-15T09:30:00Z", f"^{_DAY}T{_TIME}$"),
    "time": Format("09:30:00Z", f"^{_TIME}$"),
    "duration": Format("PT30M", "^P([1-9][0-9]{0,3}D|T[1-9][0-9]{0,3}[HMS]|[1-9][0-9]{0,3}DT[1-9][0-9]{0,3}[HMS])$"),
    "email": Format("ada@example.com", rf"^{_BOX}+(\.{_BOX}+)*@({_HOST}\.)+[a-z]{{2,9}}$"),
    "hostname": Format("www.example.com", r"^([a-z]([a-z0-9-]{0,40}[a-z0-9])?\.)+[a-z]{2,9}$"),
    "ipv4": Format("192.0.2.1", rf"^({_BYTE}\.){{3}}{_BYTE}$"),
    "ipv6": Format("2001:db8::1", f"^2001:db8:({_HEX}{{1,4}}:){{5}}{_HEX}{{1,4}}$|^2001:db8::{_HEX}{{1,4}}$"),
    "uri": Format(
        "https://example.com/", rf"^https?://({_HOST}\.)+[a-z]{{2,9}}(/[A-Za-z0-9._~-]*)*(\?[A-Za-z0-9=&]*)?$"
    ),
    "uuid": Format(
        "1b4e28ba-2fa1-41d2-883f-0016d3cca427", f"^{_HEX}{{8}}-{_HEX}{{4}}-4{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}}$"
    ),
}
