"""One glance over a text, that says quickly that no secret stands in it: what it sees has to be searched for.

An automaton (RE2) looks for all at once: for names that tell a secret, for the words that looks begin with, for
secrets. It may see what is none, such as `next_page_token`; it never misses what a search would find.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from wiretape.cassette.inside import FIELD_SEEN, PARAMETER_SEEN
from wiretape.cassette.looks import LOOKS
from wiretape.cassette.spelling import Known

_PROBES_BYTES_MAX = 16 << 10
"""Of all secrets together; more are looked for one by one: from 28 KiB on the automaton has no room for its states."""


class Glance:
    """Looks for names, looks and these secrets at once."""

    def __init__(self, known: Sequence[Known] = ()) -> None:
        probes = [probe for one in known for probe in one.probes]
        covered = known if sum(map(len, probes)) <= _PROBES_BYTES_MAX else ()
        words = [*(look.keyword for look in LOOKS), *(probe for one in covered for probe in one.probes)]
        options = re2.Options()
        options.log_errors = False  # where a hostile text takes more states, it is slower; RE2 prints that each time
        options.encoding = re2.Options.Encoding.LATIN1
        self._pattern = re2.compile(b"|".join([FIELD_SEEN, PARAMETER_SEEN, *map(re2.escape, words)]), options)
        self._values = frozenset(one.value for one in covered)

    def sees(self, data: bytes) -> bool:
        """Whether there may be something in this text; a known secret is seen as it stands in folded text."""
        return self._pattern.search(data) is not None

    def others(self, known: Sequence[Known]) -> tuple[Known, ...]:
        """Those of these secrets that it does not look for."""
        return tuple([one for one in known if one.value not in self._values])


NO_SECRETS = Glance()
