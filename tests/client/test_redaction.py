"""The redaction of text: what is removed and what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.redaction import scrub

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJjbDEifQ.c2lnbmF0dXJlLXNlY3JldA"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef", "Authorization: Bearer ***"),
        ('{"authorization": "bearer abcdef"}', '{"authorization": "bearer ***"}'),
        (f"key {JWT} expired", "key *** expired"),
        ("see https://h.example/a/b?X-Goog-Signature=abcdef&y=1 now", "see https://h.example/a/b?*** now"),
        ("https://h.example/a#abcdef", "https://h.example/a?***"),
        ("http://me:abcdef@h.example/", "http://***@h.example/"),
        ("signature=abcdef&x=1", "signature=***&x=1"),
        ("X-Goog-Credential=abcdef", "X-Goog-Credential=***"),
        ('"api_key": "abcdef"', '"api_key": "***"'),
        ("token: abcdef;", "token: ***;"),
        ("a1" * 30, "***"),
    ],
)
def test_what_looks_like_a_key_or_a_signed_url_is_not_shown(text: str, shown: str) -> None:
    assert scrub(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Resource not found: project 'clp1abcdefghijklmnopqrstu'",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "https://api.labelbox.com/graphql",
        'Cannot query field "exportMetadataHeaderOfAVeryLongNameIndeed" on type "TaskByIdType".',
        "Variable $input got invalid value; Field filters.searchQuery is required",
        "Zürich, 東京",
    ],
)
def test_what_helps_to_understand_an_error_stays(text: str) -> None:
    assert scrub(text) == text


def test_text_becomes_one_line_of_bounded_length() -> None:
    assert scrub("a\n  b\tc") == "a b c"
    assert scrub("word " * 100, limit=20) == "word word word word…"


def test_a_key_across_the_cut_leaves_no_head_behind() -> None:
    assert "eyJ" not in scrub("x " * 5 + JWT, limit=30)


@given(st.text())
def test_any_text_can_be_scrubbed_and_encoded(text: str) -> None:
    scrub(text).encode()


def test_a_lone_surrogate_can_be_shown() -> None:
    assert scrub("a\ud800b") == "a\\ud800b"
