"""From decoded events to runs and their reports. Pure."""
