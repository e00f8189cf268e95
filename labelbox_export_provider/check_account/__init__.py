"""The command `check-account`: settles on a real account what Labelbox's documentation leaves open.

`questions` lists what is asked and what this package assumes, `run` asks it, `report` shows the findings. Nothing that
names the account leaves this room: ids are hashed, and key, signed URLs, e-mail addresses and names are left out.
"""
