"""What each service has promised, written once and owned by nobody's implementation."""
