"""Stand-ins that a test writes in one line, and that count what happened to them."""
