"""Working stand-ins for the services that ours talk to."""
