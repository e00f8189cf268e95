"""Histories of landings that overlap, generated from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from labelbox_export_provider.domain.records.manifest import Rerun
from labelbox_export_provider.domain.records.object_names import Compression

StoreKind = Literal["file", "strict", "gcs", "rclone"]
End = Literal["killed before", "killed after", "stopped"]
Form = tuple[Compression | None, int | None]
"""Compression, and the most source bytes of one object."""
Group = tuple[int | None, ...]
"""Tasks of a landing in shards that run at the same time: numbers of shards, None for a publish."""

KEY = "rows.ndjson"
OBJECT_BYTES = 64 * 1024
LARGER_OBJECT_BYTES = 96 * 1024


@dataclass(frozen=True)
class Shards:
    """How a landing runs as a plan, its shards and a publish.

    All shards of a group are over before the next group starts. A number that comes twice is a shard that is repeated:
    in one group it is a task that was given up and still runs beside its next try. Numbers beyond the plan are left
    out. `retries` is whether a task that was killed is tried again while other landings run, `plans_again` whether the
    whole landing is cleared at the end, with other options, instead of what failed.
    """

    max_shards: int
    stages: tuple[Group, ...]
    publishes: tuple[Group, ...]
    retries: bool
    plans_again: bool


@dataclass(frozen=True)
class LandingCase:
    """One landing: of which export (the higher, the newer) and question, with which options and clock."""

    export: int
    question: int
    rerun: Rerun
    replace: bool
    form: Form
    hours_later: int
    second_form: Form
    shards: Shards | None = None

    def options(self, *, explicit: bool, again: bool) -> dict[str, Any]:
        """Return the options of `LandingClient.land`; for the second try they may have been changed."""
        compression, object_bytes = self.second_form if again else self.form
        target = {"key": KEY, "replace": self.replace} if explicit else {"rerun": self.rerun}
        return {"compression": compression, "workers": 1, **target, "max_object_bytes": object_bytes}


@dataclass(frozen=True)
class Turn:
    """So many calls of one landing, before another one's turn; with `end`, the last of them is also its task's end.

    `pick` says which of its tasks, where several run.
    """

    landing: int
    calls: int
    end: End | None = None
    pick: int = 0


@dataclass(frozen=True)
class History:
    """Landings in one store, and in which order they make their calls to it; then each runs to its end in turn."""

    seed: int
    store: StoreKind
    listed: bool
    attributes: bool
    explicit: bool
    landings: tuple[LandingCase, ...]
    turns: tuple[Turn, ...]

    @property
    def has_shards(self) -> bool:
        """Whether any of the landings runs as several tasks."""
        return any(each.shards for each in self.landings)


def generate_history(seed: int) -> History:
    """Return the history of a seed: in every third one, landings run as several tasks.

    Where nothing can be listed, all landings have one form and add.
    """
    chance = random.Random(seed)
    store: StoreKind = chance.choices(("file", "strict", "gcs", "rclone"), (5, 6, 3, 1))[0]
    listed, explicit = chance.random() < 0.85, chance.random() < 0.2
    same_form = not listed or chance.random() < 0.5
    reruns: Sequence[Rerun] = ("add", "replace", "replace", "refuse") if listed else ("add",)
    shared: Rerun | None = chance.choice([*reruns, None])
    forms: list[Form] = [(None, None), (None, OBJECT_BYTES), ("gzip", None), ("gzip", OBJECT_BYTES)]
    form, exports, questions = chance.choice(forms), chance.randint(1, 3), chance.choice((1, 1, 2))
    landings = []
    for _ in range(chance.randint(1, 4)):
        first = form if same_form else chance.choice(forms)
        landings.append(
            LandingCase(
                chance.randrange(exports),
                chance.randrange(questions),
                chance.choice(reruns) if shared is None else shared,
                chance.random() < 0.7,
                first,
                chance.choice((0, 0, 0, 2)),
                first if same_form else chance.choice(forms),
            )
        )
    turns = _draw_turns(chance, len(landings), 3 * len(landings))
    attributes = store != "file" or chance.random() < 0.5
    history = History(seed, store, listed, attributes, explicit, tuple(landings), turns)
    return _with_shards(history) if seed % 3 == 2 else history


def _draw_turns(chance: random.Random, landings: int, limit: int, picks: int = 1) -> tuple[Turn, ...]:
    turns = []
    for _ in range(chance.randint(1, limit)):
        end: End | None = (
            chance.choice(("killed before", "killed after", "stopped")) if chance.random() < 0.25 else None
        )
        landing, calls = chance.randrange(landings), chance.randint(1, 18)
        turns.append(Turn(landing, calls, end, chance.randrange(picks) if picks > 1 else 0))
    return tuple(turns)


def _with_shards(history: History) -> History:
    """Let the first landing run as several tasks, and most of the others."""
    chance = random.Random(f"shards {history.seed}")
    split: list[Form] = [(packed, size) for packed in (None, "gzip") for size in (OBJECT_BYTES, LARGER_OBJECT_BYTES)]
    shared = chance.choice(split)
    landings = []
    for number, case in enumerate(history.landings):
        shards = None if number and chance.random() < 0.3 else _draw_shards(chance)
        form = shared if not history.listed or chance.random() < 0.6 else chance.choice(split)
        second = form if not history.listed or chance.random() < 0.4 else chance.choice(split)
        is_changed = shards is not None or not history.listed
        landings.append(replace(case, form=form, second_form=second, shards=shards) if is_changed else case)
    turns = _draw_turns(chance, len(landings), 6 * len(landings) + 4, picks=8)
    return replace(history, landings=tuple(landings), turns=turns)


def _draw_shards(chance: random.Random) -> Shards:
    count = chance.choice((2, 4, 4))
    numbers = [*range(count), *([chance.randrange(count)] if chance.random() < 0.4 else [])]
    chance.shuffle(numbers)
    ends = sorted({len(numbers), *chance.sample(range(1, len(numbers)), chance.choice((0, 0, 1)))})
    starts = [0, *ends]
    publishes: tuple[tuple[Group, ...], ...] = (
        ((None,),),
        ((None,), (None,)),
        ((None, None),),
        ((None, chance.randrange(count)), (None,)),
    )
    return Shards(
        max_shards=count,
        stages=tuple(tuple(numbers[start:end]) for start, end in zip(starts, ends, strict=False)),
        publishes=chance.choices(publishes, (5, 2, 2, 2))[0],
        retries=chance.random() < 0.7,
        plans_again=chance.random() < 0.4,
    )
