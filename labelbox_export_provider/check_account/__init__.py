"""The command `check-account`: answers on a real account what Labelbox's documentation leaves open.

`questions` lists the questions and the assumptions of this package, `run` asks them, `report` shows the findings.
Nothing that names the account leaves this package: ids are hashed, and key, signed URLs, e-mail addresses and names are
left out.
"""
