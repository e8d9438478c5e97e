"""The public listener and the admin listener: HTTP in, our decisions, HTTP out."""
