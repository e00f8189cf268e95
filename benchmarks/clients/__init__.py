"""What is measured: each module is a program that moves an export, or does a part of that work."""
