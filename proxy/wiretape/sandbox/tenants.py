"""Sandboxes by key: each key has one of its own and sees nothing of another's. With a file they outlive the server."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from hashlib import sha256
from itertools import count

from wiretape.errors import ConfigError
from wiretape.sandbox import shelving
from wiretape.sandbox.keeping import Keeper, Tenant
from wiretape.sandbox.refusals import ErrorBody, full, rehearsed
from wiretape.sandbox.state import Sandbox


class Tenants:
    """Who has which sandbox. The first key has the one that is given; each further one has a sibling of it.

    Keys are known by a salted hash. Raises ConfigError for a file that holds what this Wiretape cannot read.
    """

    def __init__(self, first: Sandbox, keeper: Keeper | None = None) -> None:
        self.first = first
        self._keeper = keeper
        self._salt = keeper.salt if keeper else secrets.token_bytes(32)
        self._by_hash: dict[bytes, Sandbox] = {}
        if keeper is not None:
            self._restore(keeper)

    def of(self, key: str) -> Sandbox:
        """The sandbox of a key. Raises Refused where there are too many."""
        key_hash = hmac.digest(self._salt, key.encode(), sha256)
        if key_hash not in self._by_hash:
            if len(self._by_hash) >= self.first.options.keys_max:
                raise full("keys_max", self.first.options.keys_max)
            self._by_hash[key_hash] = self._numbered(self._free_number())
        return self._by_hash[key_hash]

    def _free_number(self) -> int:
        """The least that no key has: a key that never kept anything has left a gap behind when a server starts anew."""
        taken = {sandbox.number for sandbox in self._by_hash.values()}
        return next(number for number in count() if number not in taken)

    def _numbered(self, number: int) -> Sandbox:
        return self.first.sibling(number) if number else self.first

    def keep(self, sandbox: Sandbox) -> None:
        """Write what has changed in a sandbox. Raises Refused where it cannot be written, and undoes it then."""
        changed = shelving.changed(sandbox)
        if self._keeper is None or not changed:
            return
        key_hash = next(key_hash for key_hash, one in self._by_hash.items() if one is sandbox)
        try:
            self._keeper.keep(Tenant(sandbox.number, sandbox.chance.drawn), key_hash, changed)
        except sqlite3.Error as error:
            self._undo(self._keeper, key_hash, sandbox)
            message = f"The sandbox could not keep its state: {error}. Make room for it, and try again."
            raise rehearsed(500, ErrorBody(message, type="server_error"), None) from error

    def _undo(self, keeper: Keeper, key_hash: bytes, sandbox: Sandbox) -> None:
        """Go back to what is in the file: what a client was refused must not have happened."""
        again = sandbox.sibling(sandbox.number)
        sandbox.room.count(-shelving.held(sandbox))
        shelving.restore(again, keeper.objects(sandbox.number))
        again.chance.drawn = sandbox.chance.drawn
        self._by_hash[key_hash] = again

    def close(self) -> None:
        """Let go of the file."""
        if self._keeper is not None:
            self._keeper.close()

    def _restore(self, keeper: Keeper) -> None:
        try:
            for key_hash, tenant in keeper.tenants().items():
                sandbox = self._numbered(tenant.number)
                shelving.restore(sandbox, keeper.objects(tenant.number))
                sandbox.chance.drawn = tenant.drawn
                self._by_hash[key_hash] = sandbox
        except Exception as error:  # what a damaged file brings up may be anything
            why = f"{type(error).__name__}: {error}"
            raise ConfigError(
                f"{keeper.path} holds what this Wiretape cannot read: {why}; name another file"
            ) from error
