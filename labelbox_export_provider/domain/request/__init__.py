"""The sources, export params and filters of an export, and the request made of them."""
