"""Checks of an API key by its text alone. No message shows any part of it."""

from __future__ import annotations

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_WHERE = "Store only the key itself as the password of the Airflow connection."
IN_LOGIN = (
    "the API key is empty, but the login field holds something: if that is the key, move it into the password field, "
    "which Airflow masks. In a connection URI the key follows a colon: labelbox://:<key>@"
)
"""A key in the login field is not used, since Airflow shows that field."""


def complaint_about(key: str) -> str | None:
    """Return why a text, stripped of white space, cannot be an API key; None if it may be one."""
    for applies, sentence in (
        (not key, "the API key is empty: create one in Labelbox under Workspace settings > API."),
        (set(key) == {"*"}, "the API key is a row of asterisks: the mask of a form, not the key itself."),
        ("\n" in key or "\r" in key, "the API key holds a line break."),
        (key[:1] in _QUOTES, "the API key is in quotation marks, which are not part of it."),
        (key[-1:] in _QUOTES, "the API key ends in a quotation mark, which is not part of it."),
        (key.lower().startswith("bearer"), "the API key starts with 'Bearer', which the client adds itself."),
        (not key.isascii(), "the API key holds a character outside ASCII, as a word processor may insert."),
        (not key.isprintable(), "the API key holds a control character."),
        (" " in key, "the API key holds a space."),
    ):
        if applies:
            return f"{sentence} {_WHERE}"
    return None
