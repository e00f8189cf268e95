"""Which proxy carries the calls: the connection's, else the environment's, in one reading for all HTTP libraries."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from support.client.conversations import KEY, Runner
from support.client.scripted_server import Plays, ScriptedServer, data

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.addresses import ProxyAddress, split_proxy
from labelbox_export_provider.client.proxies import proxy_for
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import ConnectionSettingsError, UnreachableError

OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})
SETTINGS = ConnectionSettings(api_key=KEY)


@pytest.fixture
def proxy() -> Iterator[ScriptedServer]:
    with ScriptedServer().serving() as serving:
        serving.play(OWNER)
        yield serving


def test_connection_proxy_wins_over_the_environment(
    server: ScriptedServer, proxy: ScriptedServer, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection's proxy is used and wins over the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = ConnectionSettings(api_key=KEY, endpoint=server.url, proxy=f"http://me:hunter2@{proxy.address}")
    runner.run(settings, flows.who_am_i(ONCE))
    assert server.asked == []
    assert proxy.asked[0].path == server.url
    assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")


def test_without_one_the_environments_proxy_is_used(
    settings: ConnectionSettings, proxy: ScriptedServer, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
    runner.run(settings, flows.who_am_i(ONCE))
    assert len(proxy.asked) == 1


def test_refusing_proxy_never_sees_the_key(proxy: ScriptedServer, runner: Runner) -> None:
    """A proxy that refuses to connect is distinguished and never sees the key."""
    proxy.play(Plays(407, ""))
    settings = ConnectionSettings(
        api_key=KEY, endpoint="https://labelbox.example", proxy=f"http://me:hunter2@{proxy.address}"
    )
    with pytest.raises(UnreachableError, match="the proxy did not connect, 407") as raised:
        runner.run(settings, flows.who_am_i(ONCE))
    assert "hunter2" not in str(raised.value)
    assert [each.method for each in proxy.asked] == ["CONNECT"]
    assert KEY not in str(proxy.asked)


# --- NO_PROXY


@pytest.mark.parametrize(
    "entries", ["fd00::/8", "[::1]", "[fd00::]/8,10.0.0.0/8", "[", "http://[", "*.", "a:b:c", ",,"]
)
def test_an_odd_no_proxy_stops_no_client(
    entries: str, server: ScriptedServer, settings: ConnectionSettings, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that some libraries cannot read stop nobody, whether there is a proxy or not."""
    server.play(OWNER)
    monkeypatch.setenv("NO_PROXY", entries)
    assert runner.run(settings, flows.who_am_i(ONCE)).user_id == "u1"


@pytest.mark.parametrize(
    ("entries", "url", "exempt"),
    [
        ("*", "https://api.example", True),
        ("other.example, *", "https://api.example", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://api.EXAMPLE.com", True),
        ("EXAMPLE.com.", "https://api.example.com.", True),
        ("example.com", "https://wwwexample.com", False),
        (".example.com", "https://api.example.com", True),
        ("*.example.com", "https://api.example.com", True),
        ("example.com:8443", "https://api.example.com:8443", True),
        ("example.com:443", "https://api.example.com", True),
        ("example.com:8443", "https://api.example.com", False),
        ("https://api.example.com/", "https://api.example.com", True),
        ("http://api.example.com", "https://api.example.com", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.0.0.0/8 other.example", "https://10.1.2.3", True),
        ("10.1.2.3/8", "https://10.9.9.9:8443", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://ten.example", False),
        ("10.1.2.3:8443", "https://10.1.2.3", False),
        ("::1", "https://[::1]:8443", True),
        ("[::1]", "https://[::1]", True),
        ("[::1]:8443", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]", False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("[fd00::]/8", "https://[fd12::1]", True),
        ("fd00::/8", "https://[fe80::1]", False),
        ("fd00::/8", "https://10.1.2.3", False),
        ("", "https://api.example", False),
        (".", "https://api.example", False),
    ],
)
def test_no_proxy_is_matched(entries: str, url: str, exempt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts with subdomains, ports, addresses and networks of both families are matched."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", entries)
    assert (proxy_for(SETTINGS, url) is None) is exempt


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://up:1"}, "https://api.example", "http://up:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "https://api.example", "http://low:1"),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://api.example", "http://proxy:3128"),
        ({"HTTPS_PROXY": "https://proxy:3128/"}, "https://api.example", "https://proxy:3128"),
        ({"ALL_PROXY": "http://all:1"}, "https://api.example", "http://all:1"),
        ({"ALL_PROXY": "socks5://all:1", "HTTPS_PROXY": "http://up:1"}, "https://api.example", "http://up:1"),
        ({"HTTP_PROXY": "http://up:1"}, "https://api.example", None),
        ({"HTTP_PROXY": "http://up:1"}, "http://127.0.0.1", "http://up:1"),
        ({}, "https://api.example", None),
    ],
)
def test_the_environments_proxy_is_chosen_by_scheme(
    variables: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of the URL's scheme counts, in lower case first, then ALL_PROXY."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(SETTINGS, url)
    assert (found and found.url) == proxy


# --- addresses and passwords

LEAKY = [
    "http://user:Sup3rSecret/x@proxy:3128",
    "http://user:Sup3r#Secret@proxy:3128",
    "http://user:Sup3r?Secret@proxy:3128",
    "http://user:31/Sup3rSecret@proxy:3128",
    "http://Sup3r:Secret",
    "http://user:Sup3r[Secret@proxy:3128",
    "http://user:Sup3r Secret@proxy:3128",
    "http://user:Sup3rSecret@proxy:port",
    "http://user:Sup3rSecret@pro..xy:3128",
    "http://user:Sup3rSecret@",
    "socks5://user:Sup3rSecret@proxy:1080",
    "user:Sup3rSecret/x@proxy:3128",
]


@pytest.mark.parametrize("address", LEAKY)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_an_unusable_proxy_variable_is_named_without_its_value(
    variable: str, address: str, settings: ConnectionSettings, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable and the percent-encodings, and shows no piece of the password."""
    monkeypatch.setenv(variable, address)
    with pytest.raises(
        ConnectionSettingsError, match=rf"variable {variable} .*/ as %2F, # as %23, \? as %3F, @ as %40"
    ) as raised:
        runner.run(settings, flows.who_am_i(ONCE))
    text = "".join(traceback.format_exception(raised.value))
    assert "Sup3r" not in text
    assert "Secret" not in text


@pytest.mark.parametrize("address", LEAKY)
def test_an_unusable_proxy_of_the_connection_is_not_shown(address: str) -> None:
    """The extra `proxy` is refused without a piece of its password, too."""
    with pytest.raises(ConnectionSettingsError, match=r"'lb', extra 'proxy': .*%2F") as raised:
        ConnectionSettings.from_parts(host=None, password=KEY, extra={"proxy": address}, conn_id="lb")
    assert "Sup3r" not in str(raised.value)
    assert "Secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://me:p%40ss%2F@proxy:3128", ProxyAddress("http://proxy:3128", ("me", "p@ss/"))),
        ("http://me:p@ss@proxy:3128", ProxyAddress("http://proxy:3128", ("me", "p@ss"))),
        ("http://me@proxy", ProxyAddress("http://proxy", ("me", ""))),
        ("http://[fd00::1]:3128", ProxyAddress("http://[fd00::1]:3128")),
    ],
)
def test_a_login_is_kept_apart_from_the_address(text: str, address: ProxyAddress) -> None:
    """A library that quotes the address it was given has no password to quote."""
    assert split_proxy(text) == address
    assert "p@ss" not in repr(split_proxy(text))
