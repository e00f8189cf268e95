"""The sources, export params and filters of an export, and the request that they make."""
