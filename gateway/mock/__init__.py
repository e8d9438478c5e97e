"""A strict, stateful stand-in for Genesys Cloud; imports nothing of the rest of the package."""
