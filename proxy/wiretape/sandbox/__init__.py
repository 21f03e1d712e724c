"""The embedded Assistants server."""
