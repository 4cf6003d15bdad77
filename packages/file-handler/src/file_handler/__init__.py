"""Lines of text in files, read in constant memory and written whole or not at all."""
