"""When planned faults happen: after how many occasions, at which of them, and in which order."""

from __future__ import annotations

from support.fake_client import Client

from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorStatus, HtmlAnswer

WHO = "query { user { id } }"


def test_a_fault_happens_after_some_and_so_many_times(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorStatus(status=503, after=1, times=2))
    assert [client.post(WHO).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert fake.faults.pending == []
    assert len(fake.faults.happened) == 2


def test_a_fault_can_happen_at_one_of_some_occasions(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorStatus(status=503, after=1, every=3, times=2))
    assert [client.post(WHO).status_code for _ in range(8)] == [200, 503, 200, 200, 503, 200, 200, 200]
    assert fake.faults.pending == []


def test_a_fault_can_happen_always_until_it_is_cleared(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorStatus(times=None))
    assert {client.post(WHO).status_code for _ in range(3)} == {502}
    fake.faults.clear()
    assert client.post(WHO).status_code == 200


def test_faults_come_in_the_order_in_which_they_were_added(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorStatus(status=500), ErrorStatus(status=503), HtmlAnswer())
    assert [client.post(WHO).status_code for _ in range(3)] == [500, 503, 200]
