"""Bytes and headers: framing, encodings. Pure."""
