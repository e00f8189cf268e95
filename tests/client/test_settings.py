"""Connection settings: what is accepted, how it is normalized, and which message refuses the rest."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import ConnectionSettingsError, ProtocolError

KEY = "lbkey-Zq8vT3-do-not-show"


def from_parts(**parts: Any) -> ConnectionSettings:
    given = {"host": None, "password": KEY, "extra": {}, "conn_id": "lb_prod", **parts}
    return ConnectionSettings.from_parts(**given)


def refusal(**parts: Any) -> str:
    with pytest.raises(ConnectionSettingsError) as raised:
        from_parts(**parts)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    message = str(raised.value)
    assert "'lb_prod'" in message
    return message


def test_key_alone_gives_the_defaults() -> None:
    """An empty connection with a key has the documented defaults."""
    settings = from_parts()
    assert settings.api_key.get_secret_value() == KEY
    assert settings.model_dump(exclude={"api_key"}) == {
        "endpoint": "https://api.labelbox.com/graphql",
        "app_url": "https://app.labelbox.com",
        "timeout": 60.0,
        "verify": True,
        "proxy": None,
        "allow_http": False,
        "min_bytes_per_second": 1000,
        "polls_per_minute": 60,
        "max_running_exports": 18,
        "deployment_id": None,
        "conn_id": "lb_prod",
    }


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        (None, "https://api.labelbox.com/graphql"),
        ("", "https://api.labelbox.com/graphql"),
        ("  ", "https://api.labelbox.com/graphql"),
        ("api.eu.example", "https://api.eu.example/graphql"),
        ("API.EU.example", "https://api.eu.example/graphql"),
        (" api.eu.example ", "https://api.eu.example/graphql"),
        ("api.eu.example/", "https://api.eu.example/graphql"),
        ("api.eu.example:8443", "https://api.eu.example:8443/graphql"),
        ("api.eu.example/lb/graphql/", "https://api.eu.example/lb/graphql"),
        ("https://api.eu.example", "https://api.eu.example/graphql"),
        ("HTTPS://api.eu.example/", "https://api.eu.example/graphql"),
        ("https://api.eu.example/graphql/", "https://api.eu.example/graphql"),
        ("https://api.eu.example:444/x", "https://api.eu.example:444/x"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/graphql"),
        ("http://127.8.9.10", "http://127.8.9.10/graphql"),
        ("http://localhost:8080/graphql", "http://localhost:8080/graphql"),
        ("http://[::1]:8080", "http://[::1]:8080/graphql"),
        ("2001:db8::1", "https://[2001:db8::1]/graphql"),
        ("[2001:db8::1]:9", "https://[2001:db8::1]:9/graphql"),
    ],
)
def test_the_host_is_a_full_url_or_a_bare_name_and_is_tidied(host: str | None, endpoint: str) -> None:
    assert from_parts(host=host).endpoint == endpoint


@pytest.mark.parametrize(
    ("parts", "endpoint"),
    [
        ({"host": "lb.example", "port": 8443}, "https://lb.example:8443/graphql"),
        ({"host": "https://lb.example", "port": 8443}, "https://lb.example:8443/graphql"),
        ({"host": "lb.example:8443", "port": 8443}, "https://lb.example:8443/graphql"),
        ({"host": "127.0.0.1", "port": 80, "schema": "http"}, "http://127.0.0.1:80/graphql"),
        ({"host": "lb.example", "schema": "https"}, "https://lb.example/graphql"),
        ({"host": "lb.example", "schema": "graphql"}, "https://lb.example/graphql"),
        ({"host": "lb.example", "schema": ""}, "https://lb.example/graphql"),
        ({"host": "lb.example", "port": 0}, "https://lb.example/graphql"),
        ({"port": 0}, "https://api.labelbox.com/graphql"),
        ({"port": 443}, "https://api.labelbox.com/graphql"),
    ],
)
def test_port_and_schema_complete_the_host(parts: Any, endpoint: str) -> None:
    """Port and schema complete the host as a connection uri fills them."""
    assert from_parts(**parts).endpoint == endpoint


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"host": "https://lb.example/graphql?api_key=abcdef"}, "query or fragment"),
        ({"host": "lb.example/graphql?api_key=abcdef"}, "query or fragment"),
        ({"host": "https://lb.example/graphql#abcdef"}, "query or fragment"),
        ({"host": "https://me:abcdef@lb.example"}, "user name or password"),
        ({"host": "https://abcdef@lb.example"}, "user name or password"),
        ({"host": "ftp://lb.example"}, "ftp://"),
        ({"host": "https://"}, "names no host"),
        ({"host": "https://lb .example"}, "white space"),
        ({"host": "https://lb.example\n.evil"}, "white space"),
        ({"host": "https://lb.example\\evil"}, "backslash"),
        ({"host": "https://lb.example:99999"}, "cannot be parsed"),
        ({"host": "https://lb.example:http"}, "cannot be parsed"),
        ({"host": "https://[::1"}, "cannot be parsed"),
        ({"host": "lb..example"}, "not a host name"),
        ({"host": f"{'l' * 64}.example"}, "not a host name"),
        ({"host": "https://lb.example:1", "port": 2}, "port field 2"),
        ({"host": "https://lb.example", "schema": "http"}, "schema field"),
        ({"host": "lb.example", "schema": "v1"}, "'v1'"),
        ({"port": 8443}, "no host"),
        ({"host": "http://lb.example"}, "allow_http"),
        ({"host": "http://10.0.0.1"}, "allow_http"),
        ({"host": "http://localhost.evil.example"}, "allow_http"),
        ({"host": "http://127.0.0.1.evil.example"}, "allow_http"),
        ({"host": "lb.example", "schema": "http"}, "allow_http"),
    ],
)
def test_wrong_host_is_refused_without_secrets(parts: Any, says: str) -> None:
    """A wrong host is refused by name with valid values and no secret."""
    message = refusal(**parts)
    assert says in message
    assert "host" in message
    assert "It must be" in message
    assert "abcdef" not in message


def test_plain_http_is_let_through_when_asked_for() -> None:
    assert from_parts(host="http://lb.example", extra={"allow_http": True}).endpoint == "http://lb.example/graphql"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (None, "is empty"),
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("***", "asterisks"),
        (f"{KEY}\r\nX-Evil: 1", "line break"),
        (f'"{KEY}"', "in quotation marks"),
        (f"'{KEY}'", "in quotation marks"),
        (f"\u201c{KEY}\u201d", "in quotation marks"),
        (f"{KEY}'", "ends in a quotation mark"),
        (f"Bearer {KEY}", "starts with 'Bearer'"),
        (f"bearer:{KEY}", "starts with 'Bearer'"),
        (f"{KEY}\u00e9", "outside ASCII"),
        (f"{KEY}\u200b", "outside ASCII"),
        (f"{KEY}\x00", "control character"),
        (f"{KEY} {KEY}", "a space"),
    ],
)
def test_each_wrong_key_has_its_own_message(key: str | None, says: str) -> None:
    """Every wrong key has a sentence of its own that does not show it."""
    message = refusal(password=key)
    assert says in message
    assert "password" in message
    assert KEY not in message


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} ", "\t{}"])
def test_white_space_around_a_key_is_removed(around: str) -> None:
    """The file of a Kubernetes secret often ends in a newline, which is no part of the key."""
    assert from_parts(password=around.format(KEY)).api_key.get_secret_value() == KEY


def test_a_key_in_the_login_field_is_asked_for_by_name() -> None:
    """Airflow shows the login, so the key is not taken from there; the message says where it belongs."""
    message = refusal(password=" ", login=KEY)
    assert "login" in message
    assert "password field" in message
    assert KEY not in message
    assert from_parts(login="somebody").api_key.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("extra", "field", "value"),
    [
        ({"timeout": "30"}, "timeout", 30.0),
        ({"timeout": 0.5}, "timeout", 0.5),
        ({"timeout": ""}, "timeout", 60.0),
        ({"timeout": None}, "timeout", 60.0),
        ({"verify": "false"}, "verify", False),
        ({"verify": "True"}, "verify", True),
        ({"verify": 0}, "verify", False),
        ({"verify": "no"}, "verify", False),
        ({"verify": __file__}, "verify", __file__),
        ({"allow_http": "true"}, "allow_http", True),
        ({"allow_http": "0"}, "allow_http", False),
        ({"allow_http": None}, "allow_http", False),
        ({"app_url": "https://app.eu.example/"}, "app_url", "https://app.eu.example"),
        ({"proxy": "http://proxy.example:3128/"}, "proxy", "http://proxy.example:3128"),
        ({"proxy": "http://me:pw@proxy.example:3128"}, "proxy", "http://me:pw@proxy.example:3128"),
        ({"proxy": ""}, "proxy", None),
    ],
)
def test_extra_takes_text_and_json_values(extra: Any, field: str, value: object) -> None:
    """Extra takes what a form or an environment variable gives."""
    assert getattr(from_parts(extra=extra), field) == value
    assert type(getattr(from_parts(extra=extra), field)) is type(value)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"timeout": 0}, ["'timeout'", "'0'", "number of seconds"]),
        ({"timeout": -1}, ["'timeout'", "'-1'"]),
        ({"timeout": "soon"}, ["'timeout'", "'soon'"]),
        ({"timeout": "nan"}, ["'timeout'", "'nan'"]),
        ({"timeout": "inf"}, ["'timeout'", "'inf'"]),
        ({"timeout": True}, ["'timeout'", "'True'"]),
        ({"verify": "/no/such/bundle.pem"}, ["'verify'", "/no/such/bundle.pem", "No such file"]),
        ({"verify": "maybe"}, ["'verify'", "'maybe'", "CA bundle"]),
        ({"verify": {"a": 1}}, ["'verify'", "true, false"]),
        ({"allow_http": "perhaps"}, ["'allow_http'", "'perhaps'", "true or false"]),
        ({"app_url": "app.labelbox.com"}, ["'app_url'", "'app.labelbox.com'", "https://app.labelbox.com"]),
        ({"app_url": 5}, ["'app_url'", "'5'"]),
        ({"proxy": "proxy.example:3128"}, ["'proxy'", "http://[<user>:<password>@]<host>[:<port>]"]),
        ({"proxy": "ftp://me:hunter2@proxy.example"}, ["'proxy'", "not shown"]),
        ({"time_out": 5}, ["'time_out'", "did you mean 'timeout'", "allow_http"]),
        ({"Verify": True}, ["'Verify'", "did you mean 'verify'"]),
        ({"api_key": "hunter2"}, ["'api_key'", "password field"]),
        ({"colour": "blue"}, ["'colour'", "remove it"]),
    ],
)
def test_wrong_extra_is_refused_with_valid_values(extra: Any, says: list[str]) -> None:
    """A wrong extra is refused by name with its value and the valid ones."""
    message = refusal(extra=extra)
    for each in says:
        assert each in message
    assert "hunter2" not in message


def test_settings_from_code_follow_the_same_rules() -> None:
    """Settings made by hand follow the same rules and do not show the key either."""
    with pytest.raises(ValidationError, match="line break") as raised:
        ConnectionSettings(api_key=f"{KEY}\nX-Evil: 1")
    assert KEY not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(ValidationError, match="allow_http"):
        ConnectionSettings(api_key=KEY, endpoint="http://lb.example")


def test_repr_and_json_hide_key_and_proxy() -> None:
    """Neither key nor proxy is shown by repr and JSON keeps the key masked."""
    settings = from_parts(extra={"proxy": "http://me:hunter2@proxy.example:3128"})
    for text in (repr(settings), str(settings), repr(settings.model_dump()["api_key"]), settings.model_dump_json()):
        assert KEY not in text
    assert "hunter2" not in repr(settings)
    assert json.loads(settings.model_dump_json())["api_key"] == "**********"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        from_parts().timeout = 5  # type: ignore[misc]  # the test is about this


@pytest.mark.parametrize(
    "url", ["https://storage.example/f?sig=abcdef", "http://127.0.0.1:9/f?sig=abcdef", "http://[::1]/f?sig=abcdef"]
)
def test_file_url_is_https_or_loopback(url: str) -> None:
    """A file URL is fetched over https or from a loopback address."""
    from_parts().check_file_url(url)


def test_a_file_url_over_plain_http_follows_allow_http() -> None:
    url = "http://storage.example/bucket/file?X-Goog-Signature=abcdef"
    with pytest.raises(ConnectionSettingsError, match=r"http://storage\.example .*allow_http") as raised:
        from_parts().check_file_url(url)
    assert "abcdef" not in str(raised.value)
    assert "bucket" not in str(raised.value)
    from_parts(extra={"allow_http": True}).check_file_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "gs://bucket/f?abcdef", "https://abcdef@h/f", "https://?abcdef", "https://[abcdef"],
)
def test_invalid_file_url_is_refused_without_it(url: str) -> None:
    """A file URL that is no URL of a file is refused without showing it."""
    with pytest.raises(ProtocolError) as raised:
        from_parts().check_file_url(url)
    assert "abcdef" not in "".join(traceback.format_exception(raised.value))
