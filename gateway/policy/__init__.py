"""Pure decisions: plain functions over frozen data; no I/O, no clock, no random, no environment."""
