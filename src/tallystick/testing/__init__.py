"""What a project that extends or uses Tallystick tests with: shipped, and used by our own tests."""
