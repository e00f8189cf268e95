"""Lists and mappings as text, which is what a template leaves without native rendering."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

HOW_AS_TEXT = 'A template that gives the whole value must give JSON: write it as "{{ ... | tojson }}".'
"""Advice for a template whose rendered text cannot be parsed."""


def text_as_list(value: object) -> object:
    """Read a list out of text, as a template without native rendering leaves it (JSON or Python form)."""
    if isinstance(value, str) and value.strip().startswith(("[", "(")):
        given = _read_text(value)
        if isinstance(given, (list, tuple)):  # "(x)" alone is not a list
            return list(given)
    return value


def text_as_mapping(value: object) -> object:
    """Read a mapping out of text, as a template without native rendering leaves it (JSON or Python form)."""
    if isinstance(value, str) and value.strip().startswith("{"):
        given = _read_text(value)
        if isinstance(given, Mapping):
            return given
    return value


def _read_text(text: str) -> object:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text
