"""The commands: short functions in one table."""
