"""The content of rows of each media kind, with characters and numbers that break careless readers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from labelbox_export_provider.testing.ids import make_id

# U+2028, U+2029, U+0085, vertical tab and form feed end a line for `str.splitlines`, but not in NDJSON.
TEXTS = (
    "Grüße aus Köln",
    "東京都の交差点\u2028次の行",
    "emoji 🚦🛵 and family 👩\u200d👩\u200d👧",
    'braces }{ "quoted" back\\slash',
    "first line\nsecond line\r\nthird\tline",
    "\u0085next\u2029paragraph\u000bvertical\u000cfeed",
    "astral \U0001d49c\U0001d4c8\U0001d4c9 \U00010348 text",
    "plain ASCII text",
    'looks like JSON: {"id": "cl0", "last_activity_at": "2020-01-01T00:00:00.000+00:00"}',
)
BIG_INTEGERS = (9007199254740993, 18446744073709551615, -170141183460469231731687303715884105728)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The part of a row that depends on its media kind."""

    name: str
    row_data: str
    media_attributes: Mapping[str, Any]
    annotations: Mapping[str, Any]
    key_frame_annotations: Mapping[str, Any]
    label_kind: str = "Default"
    attachments: Sequence[Mapping[str, Any]] = ()
    metadata_fields: Sequence[Mapping[str, Any]] = ()
    embeddings: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


Kind: TypeAlias = Callable[[random.Random, str], Content]


def _content(
    chance: random.Random,
    name: str,
    *,
    kind: str,
    row_data: str,
    media_attributes: Mapping[str, Any],
    annotations: Mapping[str, Any],
    key_frame_annotations: Mapping[str, Any] | None = None,
    label_kind: str = "Default",
) -> Content:
    return Content(
        name=f"{kind}-{make_id(name)[2:8]}",
        row_data=row_data,
        media_attributes=media_attributes,
        annotations=annotations,
        key_frame_annotations=annotations if key_frame_annotations is None else key_frame_annotations,
        label_kind=label_kind,
        attachments=[{"type": "RAW_TEXT", "name": "note", "value": chance.choice(TEXTS)}],
        metadata_fields=[
            {"schema_id": make_id("metadata tag"), "schema_name": "tag", "value": chance.choice(TEXTS)},
            {"schema_id": make_id("metadata count"), "schema_name": "count", "value": chance.choice(BIG_INTEGERS)},
        ],
        embeddings=[{"name": "custom", "values": [chance.uniform(-1, 1), 1e-07, 1264.0, 1e22, -0.0]}],
    )


def _answer(name: str, question: str, answer: str) -> dict[str, Any]:
    return {
        "feature_id": make_id(f"{name} {question}"),
        "feature_schema_id": make_id(f"schema {question}"),
        "name": question,
        "value": question,
        "radio_answer": {
            "feature_id": make_id(f"{name} {question} {answer}"),
            "name": answer,
            "value": answer,
            "classifications": [],
        },
    }


def _free_text(name: str, text: str) -> dict[str, Any]:
    return {
        "feature_id": make_id(f"{name} remark"),
        "feature_schema_id": make_id("schema remark"),
        "name": "remark",
        "value": "remark",
        "text_answer": {"content": text},
    }


def _object(name: str, kind: str, number: int, **place: Any) -> dict[str, Any]:
    return {
        "feature_id": make_id(f"{name} object {number}"),
        "feature_schema_id": make_id("schema car"),
        "name": "car",
        "value": "car",
        "annotation_kind": kind,
        "classifications": [],
        **place,
    }


def _annotations(objects: Sequence[Any], classifications: Sequence[Any]) -> dict[str, Any]:
    return {"objects": objects, "classifications": classifications, "relationships": []}


def _box(chance: random.Random) -> dict[str, float]:
    return {"top": 1264.0, "left": chance.uniform(0, 2000), "height": 1e-07, "width": float(chance.randrange(1, 400))}


def image(chance: random.Random, name: str) -> Content:
    """Return an image with bounding boxes, a polygon and a radio answer."""
    boxes = [
        _object(name, "ImageBoundingBox", number, bounding_box=_box(chance)) for number in range(chance.randrange(4))
    ]
    polygon = [{"x": float(chance.randrange(2560)), "y": chance.uniform(0, 1707)} for _ in range(4)]
    return _content(
        chance,
        name,
        kind="image",
        row_data=f"https://bucket.example/images/{make_id(name)}.jpg",
        media_attributes={"height": 1707, "width": 2560, "mime_type": "image/jpeg", "exif_rotation": "1"},
        annotations=_annotations(
            [*boxes, _object(name, "ImagePolygon", 99, polygon=polygon)],
            [_answer(name, "weather", "sunny"), _free_text(name, chance.choice(TEXTS))],
        ),
    )


def text(chance: random.Random, name: str) -> Content:
    """Return a text with an entity; the text is in the row itself."""
    row_data = " ".join(chance.choices(TEXTS, k=chance.randrange(1, 6)))
    location = {"start": 0, "end": 4, "token": row_data[:5]}
    return _content(
        chance,
        name,
        kind="text",
        row_data=row_data,
        media_attributes={"asset_type": "text", "mime_type": "text/plain"},
        annotations=_annotations([_object(name, "TextEntity", 0, location=location)], []),
    )


def video(chance: random.Random, name: str) -> Content:
    """Return a video with one box on many frames, of which the first and the last are key frames."""
    feature = make_id(f"{name} feature")
    last = chance.randrange(3, 40)

    def frame(number: int) -> dict[str, Any]:
        place = {"top": 10.0 + number, "left": 20.0, "height": 30.0, "width": 40.0}
        box = {"feature_id": feature, "name": "box", "annotation_kind": "VideoBoundingBox", "classifications": []}
        return {"objects": {feature: {**box, "bounding_box": place}}, "classifications": []}

    def annotations(frames: Sequence[int]) -> dict[str, Any]:
        return {
            "frames": {str(number): frame(number) for number in frames},
            "segments": {feature: [[1, last]]},
            "key_frame_feature_map": {feature: {"1": True, str(last): True}},
            "classifications": [],
        }

    return _content(
        chance,
        name,
        kind="video",
        row_data=f"https://bucket.example/videos/{make_id(name)}.mp4",
        media_attributes={
            "height": 720,
            "width": 1280,
            "mime_type": "video/mp4",
            "frame_rate": 10,
            "frame_count": 100,
        },
        annotations=annotations(range(1, last + 1)),
        key_frame_annotations=annotations((1, last)),
        label_kind="Video",
    )


def conversational(chance: random.Random, name: str) -> Content:
    """Return a conversation: JSON text inside JSON, with braces and escaped newlines in it."""
    messages = [
        {"messageId": f"m-{number}", "content": chance.choice(TEXTS), "user": {"userId": "u", "name": "Ünal"}}
        for number in range(chance.randrange(1, 5))
    ]
    document = {"type": "application/vnd.labelbox.conversational", "version": 1, "messages": messages}
    return _content(
        chance,
        name,
        kind="conversation",
        row_data=json.dumps(document, ensure_ascii=chance.random() < 0.5),
        media_attributes={
            "asset_type": "conversational",
            "mime_type": "application/vnd.labelbox.conversational",
            "labelable_ids": [message["messageId"] for message in messages],
            "message_count": len(messages),
        },
        annotations=_annotations([], [_answer(name, "tone", "friendly")]),
    )


def document(chance: random.Random, name: str) -> Content:
    """Return a PDF with boxes on its pages."""
    boxes = [
        _object(name, "DocumentBoundingBox", page, page_number=page, bounding_box=_box(chance))
        for page in range(1, chance.randrange(2, 5))
    ]
    return _content(
        chance,
        name,
        kind="document",
        row_data=f"https://bucket.example/documents/{make_id(name)}.pdf",
        media_attributes={"asset_type": "pdf", "mime_type": "application/pdf", "page_count": len(boxes)},
        annotations=_annotations(boxes, [_free_text(name, chance.choice(TEXTS))]),
    )


def audio(chance: random.Random, name: str) -> Content:
    """Return a sound with a transcript."""
    return _content(
        chance,
        name,
        kind="audio",
        row_data=f"https://bucket.example/audio/{make_id(name)}.wav",
        media_attributes={"asset_type": "audio", "mime_type": "audio/wav", "duration": chance.uniform(0, 600)},
        annotations=_annotations([], [_free_text(name, chance.choice(TEXTS))]),
    )


KINDS: tuple[Kind, ...] = (image, text, video, conversational, document, audio)
