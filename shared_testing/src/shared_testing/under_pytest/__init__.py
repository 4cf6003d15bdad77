"""What the plugin does in a run of pytest: the hooks of exploration and virtual time, and how findings are reported."""
