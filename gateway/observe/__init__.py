"""What the gateway tells about itself: audit log, metrics, application log."""
