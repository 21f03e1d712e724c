"""The files that a run can reach: those its assistant, its thread, its messages and itself name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from wiretape.sandbox.calls import Passage, Result
from wiretape.sandbox.content import Json
from wiretape.sandbox.library import Library
from wiretape.sandbox.objects import JsonObject, Message
from wiretape.sandbox.plot import Stored
from wiretape.sandbox.refusals import full
from wiretape.sandbox.shelves import Found

OUTPUT = "assistants_output"
"""The purpose of a file that a run has made."""


class LibraryShelf:
    """A run's part of the library. What is no longer there is not seen."""

    def __init__(
        self,
        library: Library,
        resources: Sequence[JsonObject],
        messages: Iterable[Message],
        store: Callable[[int], None],
        searches_max: int,
    ) -> None:
        self.store = store
        self._searches_left = self._searches_max = searches_max
        self._library = library
        self._stores = list(dict.fromkeys(_named(resources, "file_search", "vector_store_ids")))
        in_resources = _named(resources, "code_interpreter", "file_ids")
        self._files = list(dict.fromkeys([*in_resources, *_attached(messages, "code_interpreter")]))

    @property
    def searchable(self) -> bool:
        """Whether any vector store has a file."""
        return any(self._library.attached.get(store_id) for store_id in self._stores)

    @property
    def readable(self) -> Sequence[Stored]:
        """The files that code can open."""
        known = (self._library.files.get(file_id) for file_id in self._files)
        return [Stored(file.id, file.filename) for file in known if file is not None]

    def search(self, query: str, results_max: int, threshold: float, at_s: float) -> Sequence[Result]:
        """What vector stores that have not expired hold about this, best first. Raises Refused after too many."""
        if self._searches_left == 0:
            raise full("searches_max", self._searches_max)
        self._searches_left -= 1
        shelves = self._library.shelves
        open_stores = [one for one in self._stores if one in shelves and not shelves[one].has_expired(at_s)]
        found = self._library.search(open_stores, query, at_s, results_max, threshold)
        return [_result(one) for one in found if one.score > 0]

    def keep(self, content: bytes, name: str, at_s: float) -> str:
        """Keep a file that the run has made; gives its id. Raises Refused when there is no room."""
        return self._library.create_file(content, name, OUTPUT, at_s).id

    def text(self, file_id: str) -> str:
        """What is in a file, as far as it is text."""
        return self._library.text(file_id)


def _named(resources: Sequence[JsonObject], tool: str, field: str) -> Iterator[str]:
    for one in resources:
        yield from (one.get(tool) or {}).get(field) or ()


def _attached(messages: Iterable[Message], tool: str) -> Iterator[str]:
    """The files that messages attach for a tool."""
    for message in messages:
        yield from (one["file_id"] for one in message.attachments if is_for(one, tool))


def is_for(attachment: Json, tool: str) -> bool:
    """Whether a file is attached for this tool."""
    return any(one.get("type") == tool for one in attachment.get("tools") or ())


def _result(found: Found) -> Result:
    return Result(
        file_id=found.file_id,
        file_name=found.filename,
        score=found.score,
        attributes=dict(found.attributes),
        content=tuple(Passage(text) for text in found.texts),
    )
