"""What is refused of a target before an export is started: names that the store does not take."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.streaming.exports import LandingClient

from labelbox_export_provider.domain.options.object_keys import MAX_KEY_BYTES
from labelbox_export_provider.domain.records.object_names import explicit_names
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.streaming.landing.target_check import check_target


def test_the_longest_name_is_that_of_a_receipt(at: LandingClient, tmp_path: Path) -> None:
    """At an explicit key the manifest's name may fit where that of a receipt does not; then nothing is resumed."""
    handle, options, sink = at.export(), LandingOptions(), FileSink(tmp_path)
    sink.maximum_key_bytes = MAX_KEY_BYTES
    beside = len(explicit_names(handle, "k", options.compression).receipt(0)) - 1
    longest = f"{'folder/' * 100}{'k' * (MAX_KEY_BYTES - beside - 700)}"
    fits, too_long = (explicit_names(handle, key, options.compression) for key in (longest, f"{longest}k"))
    assert len(too_long.manifest("errors")) <= MAX_KEY_BYTES
    check_target(sink, fits, options)
    with pytest.raises(ConfigurationError, match=r"has 1025 bytes; the store takes names of at most 1024"):
        check_target(sink, too_long, options)
    sink.resumes = False
    check_target(sink, too_long, options)
