"""The official SDK lists the same projects and datasets as the look-ups of this package, over several pages."""

from __future__ import annotations

import warnings

from labelbox_export_provider.client import LabelboxClient, lookups
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.testing import FakeLabelbox, Place, Workspace

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import labelbox as lb


def test_the_sdk_lists_the_same_projects_and_datasets() -> None:
    """It asks for those that are not deleted, a hundred at a time, as the look-ups do."""
    places = [Place(id=f"cl{number:023}", name=f"place {number:03}") for number in range(230)]
    with FakeLabelbox(workspace=Workspace(projects=places, datasets=places[:101])) as fake:
        client = lb.Client(api_key=fake.api_key, endpoint=fake.endpoint, app_url=fake.base_url)
        theirs = ([each.uid for each in client.get_projects()], [each.uid for each in client.get_datasets()])
        settings = ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint, allow_http=True)
        with LabelboxClient(settings) as own:
            found = ([each.id for each in own.run(flow)] for flow in (lookups.projects(), lookups.datasets()))
            assert tuple(found) == theirs
        assert theirs == ([each.id for each in places], [each.id for each in places[:101]])
        refused = {code for request in fake.requests.api for code in request.error_codes}
        assert refused == set()
