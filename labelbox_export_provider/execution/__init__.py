"""The phases of one task instance: start or adopt, defer, poll, report a failure."""
