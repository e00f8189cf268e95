"""The conformance suite of stores, as a pytest class to subclass: for authors of sinks.

A subclass provides a `store` fixture and lists in `lacks` the promises that the store cannot keep, with the reason. A
promise in `lacks` is tested too and must be broken, so that the list is never longer than necessary.
"""

from __future__ import annotations

from labelbox_export_provider.testing.sink_conformance.inspection import Inspection
from labelbox_export_provider.testing.sink_conformance.promises import Promise, Store
from labelbox_export_provider.testing.sink_conformance.resuming import Resuming
from labelbox_export_provider.testing.sink_conformance.retries import Retries
from labelbox_export_provider.testing.sink_conformance.whole_objects import WholeObjects

__all__ = ["Promise", "SinkConformance", "Store"]


class SinkConformance(WholeObjects, Retries, Resuming, Inspection):
    """Subclass it, provide the `store` fixture, and let pytest collect the subclass."""
