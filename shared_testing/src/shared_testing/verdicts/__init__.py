"""From who waits for what to why: the words of AT402."""
