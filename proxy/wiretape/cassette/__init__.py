"""Recordings: format, redaction, matching, pace. Pure."""
