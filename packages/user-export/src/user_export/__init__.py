"""Export the users of an API to a file of JSON lines."""
