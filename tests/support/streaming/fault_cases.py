"""The cases of the campaign of faults: every kind of fault, generated from one seed."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Any, Literal

from support.stores.faulty_sink import Area, Injection

from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3

SEED = 20261123


PART_BYTES = 16 * 1024


FILE_BYTES = 20_000


OBJECT_BYTES = 64 * 1024


Place = Literal["first", "middle", "last"]


PLACES: tuple[Place, ...] = ("first", "middle", "last")


StoreName = Literal["file", "strict", "moto", "rclone", "gcs"]


StrictServer = StrictS3 | StrictGCS


Shape = Literal["one object", "split", "explicit key"]


@dataclass(frozen=True)
class Landing:
    """How the export is landed."""

    compression: Compression | None
    shape: Shape
    trimmed: bool = False

    @property
    def options(self) -> dict[str, Any]:
        key = {"key": "rows.out"} if self.shape == "explicit key" else {}
        split = {"max_object_bytes": OBJECT_BYTES} if self.shape == "split" else {"max_object_bytes": None}
        return {"compression": self.compression, "max_error_rows": 10_000, "workers": 3, **key, **split}


_SHAPES: tuple[Shape, ...] = ("one object", "split", "explicit key")


_PLAIN_OR_GZIP: tuple[Compression | None, ...] = (None, "gzip")


_COMPRESSIONS: tuple[Compression | None, ...] = (None, "gzip", "zstd")


LANDINGS = [
    *itertools.starmap(Landing, itertools.product(_PLAIN_OR_GZIP, _SHAPES)),
    Landing("zstd", "split"),
    *(Landing(compression, "split", trimmed=True) for compression in _COMPRESSIONS),
]


@dataclass(frozen=True)
class Case:
    """A fault and where it is hit. `how` and `what` are in the words of the layer that fails."""

    store: StoreName
    landing: Landing
    layer: Literal["source", "store", "wire"]
    what: str
    how: str
    area: Area = "data"
    place: Place = "first"

    def __str__(self) -> str:
        packed = (self.landing.compression or "plain") + (" trimmed" if self.landing.trimmed else "")
        label = f"{self.place} {self.what} of {self.area}"
        return f"{self.store}, {packed}, {self.landing.shape}: {self.layer}, {label}, {self.how}".replace("/", " ")


# --- the cases

_STREAMS: tuple[Area, ...] = ("data", "errors")


SOURCE = ["broken", "broken for ever", "truncated", "truncated for ever", "corrupt", "corrupt for ever", "too long"]


SOURCE += ["too long for ever", "expired", "refused for ever"]


STORE_CALLS: list[tuple[str, Area]] = [
    ("abort_open_uploads", "data"),
    ("abort_open_uploads", "errors"),
    ("list", "manifests"),
    ("list", "errors"),
    *itertools.product(("begin", "put_part", "complete"), _STREAMS),
    ("put", "uris"),
    ("put", "manifests"),
    ("list", "receipts"),
    ("put", "receipts"),
    ("delete", "receipts"),
]


INJECTIONS: tuple[Injection, ...] = ("refused", "unavailable", "lost", "killed before", "killed after")


WIRE_CALLS: list[tuple[str, Area]] = [
    *itertools.product(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), _STREAMS),
    ("PutObject", "uris"),
    ("PutObject", "manifests"),
    ("ListMultipartUploads", "data"),
]


WIRE = ["reset before", "reset after", "reset for ever", "500", "500 for ever", "slow down", "slow down for ever"]


OF_COMPLETION = ["error in the body", "error in the body for ever", "error in the body after"]


_PARTS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


_CHUNKS = ("open", "send", "finish")


GCS_WIRE_CALLS: list[tuple[str, Area]] = [
    *itertools.product(_PARTS, _STREAMS),
    ("open", "data"),
    ("send", "data"),
    ("finish", "data"),
    ("insert", "uris"),
    ("insert", "manifests"),
    ("ListMultipartUploads", "data"),
    ("get", "data"),
    ("list", "data"),
]


OF_CHUNKS = ["half kept", "half kept for ever"]


def _places(call: str, area: Area, landing: Landing) -> tuple[Place, ...]:
    """Leave out places that are the same as the first."""
    many = call in {"put_part", "UploadPart", "send"} or (area in {"data", "receipts"} and landing.shape == "split")
    return PLACES if many else ("first",)


def _not_made_of_data(landing: Landing) -> set[str]:
    """In GCS what must not overwrite goes in chunks; only an explicit key is looked at, and has no listing."""
    return {*_PARTS, "list"} if landing.shape == "explicit key" else {*_CHUNKS, "get"}


def _all_cases(store: StoreName) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {"source": [], "store": [], "wire": []}
    for landing in LANDINGS:
        for what, how, place in itertools.product(("file", "byte"), SOURCE, PLACES):
            found["source"].append(Case(store, landing, "source", what, how, "data", place))
        for how in SOURCE:
            found["source"].append(Case(store, landing, "source", "byte", how, "errors"))
        for (call, area), inject in itertools.product(STORE_CALLS, INJECTIONS):
            if area == "uris" and landing.shape == "explicit key":
                continue
            if area == "receipts" and landing.shape != "split":
                continue
            found["store"] += [
                Case(store, landing, "store", call, inject, area, place) for place in _places(call, area, landing)
            ]
        for call, area in GCS_WIRE_CALLS if store == "gcs" else WIRE_CALLS:
            if area == "uris" and landing.shape == "explicit key":
                continue
            if store == "gcs" and area == "data" and call in _not_made_of_data(landing):
                continue
            hows = WIRE + (OF_COMPLETION if call == "CompleteMultipartUpload" else [])
            hows = hows + (OF_CHUNKS if call in {"send", "finish"} else [])
            found["wire"] += [
                Case(store, landing, "wire", call, how, area, place)
                for how, place in itertools.product(hows, _places(call, area, landing))
            ]
    return found


def generate_cases() -> list[Case]:
    chance, of_receipts_only = random.Random(SEED), random.Random(SEED)
    wanted: dict[StoreName, dict[str, int]] = {
        "file": {"source": 70, "store": 120},
        "strict": {"source": 40, "store": 70, "wire": 130},
        "moto": {"source": 5, "store": 50},
        "rclone": {"source": 5, "store": 50},
        "gcs": {"source": 20, "store": 75, "wire": 130},
    }
    cases: list[Case] = []
    for store, layers in wanted.items():
        found = _all_cases(store)
        for layer, number in layers.items():
            of_receipts = [case for case in found[layer] if case.area == "receipts"]
            cases += chance.sample([case for case in found[layer] if case.area != "receipts"], number)
            cases += of_receipts_only.sample(of_receipts, min(len(of_receipts), 16))
        # Only an explicit key in GCS goes in chunks, which is rare among the others.
        cases += [case for case in found["wire"] if case.how in OF_CHUNKS and case not in cases]
    return cases
