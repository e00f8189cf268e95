"""What one task instance does, phase by phase: start or adopt, defer, poll, report a failure."""
