"""The Assistants API (v2): OpenAI's, and the servers that speak it still."""

from wiretape.dialects.assistants.alike import reader
from wiretape.dialects.assistants.coverage import begins, begun, realm
from wiretape.dialects.assistants.facts import answer, asked, event, is_delta
from wiretape.dialects.assistants.routes import route
from wiretape.dialects.assistants.stream import order

__all__ = ["answer", "asked", "begins", "begun", "event", "is_delta", "order", "reader", "realm", "route"]
