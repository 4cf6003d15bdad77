"""One file per pitfall: its rule, and what sees it."""
