"""Look-ups of the projects and datasets that a key may see, whole or not at all.

Labelbox pages its lists by position, so what is deleted or created while a list is read moves the rest: an entry could
come twice, or never. Each page therefore begins with the last entry of the page before. Where that is another one, the
list has moved, and it is read again from its beginning.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from labelbox_export_provider.client import graphql, parsing
from labelbox_export_provider.client.asking import ask
from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.client.types import Flow, ListedSource, Sleep
from labelbox_export_provider.errors import ConfigurationError, ListChangedError

PER_PAGE = 100
MAX_READS = 5
"""How often a list that moves is read from its beginning."""
PAUSE = 2.0
"""Seconds before it is read again."""


def projects(match_glob: str | None = None, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[list[ListedSource]]:
    """Return all projects that the key may see and whose name matches, sorted by name.

    Deleted ones are left out. Raises `ListChangedError` where the list moves all the time: none is lost silently.
    """
    return _matching(graphql.PROJECTS, "projects", match_glob, policy)


def datasets(match_glob: str | None = None, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[list[ListedSource]]:
    """Return all datasets, as `projects` does."""
    return _matching(graphql.DATASETS, "datasets", match_glob, policy)


def _matching(document: Document, member: str, match_glob: str | None, policy: RetryPolicy) -> Flow[list[ListedSource]]:
    if match_glob == "":  # it would match no name, and is rather a value that was not set
        raise ConfigurationError(
            f"match_glob={match_glob!r}: must be a pattern such as 'team-a *', or None for all {member}."
        )
    listed = yield from _read(document, member, policy)
    found = [each for each in listed if match_glob is None or fnmatchcase(each.name, match_glob)]
    return sorted(found, key=lambda each: (each.name, each.id))


def _read(document: Document, member: str, policy: RetryPolicy) -> Flow[list[ListedSource]]:
    for number in range(MAX_READS):
        if number:
            yield Sleep(PAUSE, f"the list of {member} moved while it was read")
        listed = yield from _read_once(document, member, policy)
        if listed is not None:
            return listed
    raise ListChangedError(
        f"The list of {member} moved during each of {MAX_READS} reads, as it does while many are created or deleted, "
        "so one of them could be missing and none is returned. Try again later."
    )


def _read_once(document: Document, member: str, policy: RetryPolicy) -> Flow[list[ListedSource] | None]:
    """Return the list, or None where it moved between two of its pages."""
    found: dict[str, ListedSource] = {}
    last: str | None = None
    position = 0
    while True:
        data = yield from ask(document, {"skip": position, "first": PER_PAGE}, policy)
        page = parsing.listed_sources(data, member)
        if last is not None and (not page or page[0].id != last):
            return None
        known = len(found)
        found.update((each.id, each) for each in page)
        # A page that is shorter than asked for may be the server's own limit, so it is not the last one yet.
        if len(found) == known:
            return list(found.values())
        last = page[-1].id
        position += len(page) - 1
