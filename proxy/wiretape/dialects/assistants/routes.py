"""The endpoints of the Assistants API, under whatever prefix a server has put them.

A prefix of the table stays in the template, with its parameters named; any other becomes `/*`, so the
number of templates does not grow with what clients send.
"""

from __future__ import annotations

from collections.abc import Iterator

from wiretape.dialects.events import Kind, Route

_ENDPOINTS = (
    ("GET", "assistants", Kind.AGENT_READ),
    ("POST", "assistants", Kind.AGENT_CREATE),
    ("GET", "assistants/{assistant_id}", Kind.AGENT_READ),
    ("POST", "assistants/{assistant_id}", Kind.AGENT_READ),
    ("DELETE", "assistants/{assistant_id}", Kind.OTHER),
    ("GET", "threads", Kind.OTHER),  # Foundry classic alone lists threads
    ("POST", "threads", Kind.OTHER),
    ("POST", "threads/runs", Kind.START),  # a literal goes before the parameter it would match
    ("GET", "threads/{thread_id}", Kind.OTHER),
    ("POST", "threads/{thread_id}", Kind.OTHER),
    ("DELETE", "threads/{thread_id}", Kind.OTHER),
    ("GET", "threads/{thread_id}/messages", Kind.OTHER),
    ("POST", "threads/{thread_id}/messages", Kind.OTHER),
    ("GET", "threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("POST", "threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("DELETE", "threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("GET", "threads/{thread_id}/runs", Kind.READ),
    ("POST", "threads/{thread_id}/runs", Kind.START),
    ("GET", "threads/{thread_id}/runs/{run_id}", Kind.POLL),
    ("POST", "threads/{thread_id}/runs/{run_id}", Kind.CHANGE),
    ("POST", "threads/{thread_id}/runs/{run_id}/submit_tool_outputs", Kind.RESUME),
    ("POST", "threads/{thread_id}/runs/{run_id}/cancel", Kind.CANCEL),
    ("GET", "threads/{thread_id}/runs/{run_id}/steps", Kind.READ),
    ("GET", "threads/{thread_id}/runs/{run_id}/steps/{step_id}", Kind.READ),
)
_PREFIXES = (
    "",
    "/v1",
    "/openai",
    "/openai/v1",
    "/openai/deployments/{deployment}",
    "/api/v1",
    "/api/projects/{project}",
)
_OTHER_PREFIX = "/*"


def _parts(template: str) -> tuple[str, ...]:
    return tuple(template.split("/"))


_SIZE_MAX = 6
_BY_SIZE: dict[tuple[str, int], list[tuple[tuple[str, ...], Kind]]] = {}
for _method, _template, _kind in _ENDPOINTS:
    _tail = _parts(_template)
    _BY_SIZE.setdefault((_method, len(_tail)), []).append((_tail, _kind))
_PREFIX_PARTS = [_parts(prefix)[1:] for prefix in _PREFIXES]


def route(method: str, path: str) -> Route | None:
    """The endpoint of this method and path (without query), or None; a known prefix is preferred to `/*`."""
    segments = tuple(path.strip("/").split("/"))
    routes = list(_routes(method, segments))
    known = (found for found in routes if not found.template.startswith(_OTHER_PREFIX))
    return next(known, routes[0] if routes else None)


def _routes(method: str, segments: tuple[str, ...]) -> Iterator[Route]:
    for at in range(max(len(segments) - _SIZE_MAX, 0), len(segments)):
        if segments[at] in {"assistants", "threads"}:
            yield from _endpoint(method, segments[:at], segments[at:])


def _endpoint(method: str, before: tuple[str, ...], tail: tuple[str, ...]) -> Iterator[Route]:
    for template, kind in _BY_SIZE.get((method, len(tail)), ()):
        ids = _match(template, tail)
        if ids is not None:
            name = "/".join((_prefix(before), *template))
            yield Route(name, kind, ids.get("{run_id}"), ids.get("{thread_id}"))
            return


def _prefix(before: tuple[str, ...]) -> str:
    known = (template for template in _PREFIX_PARTS if _match(template, before) is not None)
    found = next(known, None)
    return _OTHER_PREFIX if found is None else "".join(f"/{part}" for part in found)


def _match(template: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    """The parameters, or None where a literal differs, a parameter is empty or the sizes do."""
    if len(template) != len(segments):
        return None
    pairs = list(zip(template, segments, strict=True))
    if not all(part == segment or (part.startswith("{") and segment) for part, segment in pairs):
        return None
    return {part: segment for part, segment in pairs if part.startswith("{")}
