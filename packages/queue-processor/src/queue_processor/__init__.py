"""Producers, a bounded queue, consumers: nothing lost, nothing left running."""
