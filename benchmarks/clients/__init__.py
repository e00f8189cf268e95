"""The measured programs: each module moves an export, or does a part of that work."""
