"""One file for each foreign format. Pure."""
