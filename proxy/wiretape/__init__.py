"""Wiretape: a recording and replaying HTTP reverse proxy with observability for assistant and run traffic."""

__version__ = "0.1.0"
