"""What is wrong with an API key, seen from its text alone. No message shows any of it."""

from __future__ import annotations

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_WHERE = "Store the bare key, and nothing else, as the password of the Airflow connection."


def complaint_about(key: str) -> str | None:
    """Say in one sentence why the text cannot be an API key, with the next step; None if it may be one."""
    for applies, sentence in (
        (not key, "the API key is empty: create one in Labelbox under Workspace settings > API."),
        (not key.strip(), "the API key is only white space: create one in Labelbox under Workspace settings > API."),
        (set(key) == {"*"}, "the API key is a row of asterisks, the mask of a form and not the key behind it."),
        ("\n" in key or "\r" in key, "the API key holds a line break, often the end of a file it was read from."),
        (key.strip()[:1] in _QUOTES, "the API key is in quotation marks, which are not part of it."),
        (key.strip()[-1:] in _QUOTES, "the API key ends in a quotation mark, which is not part of it."),
        (key.strip().lower().startswith("bearer"), "the API key starts with 'Bearer', which the client adds itself."),
        (not key.isascii(), "the API key holds a character outside ASCII, as a word processor may put in."),
        (not key.isprintable(), "the API key holds a control character."),
        (" " in key, "the API key holds a blank, at its end or inside."),
    ):
        if applies:
            return f"{sentence} {_WHERE}"
    return None
