"""Run many coroutines, a few at a time."""
