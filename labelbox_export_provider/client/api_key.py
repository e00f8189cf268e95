"""What is wrong with an API key, seen from its text alone. No message shows any of it."""

from __future__ import annotations

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_WHERE = "Store the bare key, and nothing else, as the password of the Airflow connection."
IN_LOGIN = (
    "the API key is empty, but the login field holds something: if that is the key, move it into the password field, "
    "which Airflow masks. In a connection URI the key stands behind a colon: labelbox://:<key>@"
)
"""Why a key is not taken out of the login field: Airflow shows that field."""


def complaint_about(key: str) -> str | None:
    """Say in one sentence why a text, white space around it removed, cannot be an API key; None if it may be one."""
    for applies, sentence in (
        (not key, "the API key is empty: create one in Labelbox under Workspace settings > API."),
        (set(key) == {"*"}, "the API key is a row of asterisks, the mask of a form and not the key behind it."),
        ("\n" in key or "\r" in key, "the API key holds a line break."),
        (key[:1] in _QUOTES, "the API key is in quotation marks, which are not part of it."),
        (key[-1:] in _QUOTES, "the API key ends in a quotation mark, which is not part of it."),
        (key.lower().startswith("bearer"), "the API key starts with 'Bearer', which the client adds itself."),
        (not key.isascii(), "the API key holds a character outside ASCII, as a word processor may put in."),
        (not key.isprintable(), "the API key holds a control character."),
        (" " in key, "the API key holds a blank."),
    ):
        if applies:
            return f"{sentence} {_WHERE}"
    return None
