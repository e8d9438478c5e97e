"""The only room that knows everyone: builds the parts, wires them, starts and stops them in order."""
