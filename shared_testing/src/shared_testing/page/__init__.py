"""What a test run has found, as one page of HTML that needs nothing else: no network, no other file."""
