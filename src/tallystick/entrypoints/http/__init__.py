"""The HTTP API: events in, usage out. The only part of Tallystick that is asynchronous."""
