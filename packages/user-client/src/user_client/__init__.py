"""A client of the user API: pooled, bounded, retried, logged in once."""
