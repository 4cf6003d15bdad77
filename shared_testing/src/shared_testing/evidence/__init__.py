"""What several detectors look at, gathered once while the test runs."""
