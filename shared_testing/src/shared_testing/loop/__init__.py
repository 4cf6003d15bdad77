"""The event loops that tests run on, and what a test may ask of them."""
