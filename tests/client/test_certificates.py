"""The certificates that clients trust: those of the connection, of the environment, or those that httpx ships."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.client.conversations import KEY, Runner
from support.client.scripted_server import ScriptedServer, data
from support.streaming.tls import certificate as own_certificate

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.certificates import _usual_ssl_context, create_ssl_context
from labelbox_export_provider.client.retry import ONCE, RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import ConnectionSettingsError

OWNER = data(user={"id": "u1", "email": None, "timezone": None}, organization={"id": "o1", "name": "Org"})


@pytest.fixture(autouse=True)
def _no_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return own_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[ScriptedServer]:
    with ScriptedServer(certificate[1]).serving() as serving:
        serving.play(OWNER)
        yield serving


def test_untrusted_certificate_is_not_retried(secure: ScriptedServer, runner: Runner) -> None:
    """A certificate that is not trusted is not waited out and the fix is named."""
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", timeout=5)
    with pytest.raises(ConnectionSettingsError, match=r"certificate is not trusted.*'?verify'?"):
        runner.run(settings, flows.who_am_i(RetryPolicy()))
    assert runner.slept == []
    assert secure.asked == []


@pytest.mark.parametrize("verify", ["bundle", False])
def test_verify_takes_a_ca_bundle_or_switches_the_check_off(
    verify: str | bool, secure: ScriptedServer, certificate: tuple[Path, ssl.SSLContext], runner: Runner
) -> None:
    chosen = str(certificate[0]) if verify == "bundle" else verify
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", verify=chosen, timeout=5)
    assert runner.run(settings, flows.who_am_i(ONCE)).user_id == "u1"


def test_httpx_certificates_are_read_once(
    secure: ScriptedServer,
    certificate: tuple[Path, ssl.SSLContext],
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificates that httpx brings are read once and never where the environment names a bundle."""
    settings = ConnectionSettings(api_key=KEY, endpoint=f"https://{secure.address}", timeout=5)
    usual = create_ssl_context(settings)
    assert create_ssl_context(settings) is usual
    # What urllib3 sets on its own must not reach connections that carry the key.
    assert create_ssl_context(settings, used_by="urllib3") is not usual
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert runner.run(settings, flows.who_am_i(ONCE)).user_id == "u1"


def test_a_directory_of_hashed_certificates_can_be_a_ca_bundle(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory counts in `verify` and in SSL_CERT_DIR, where several may stand."""
    (tmp_path / "0123abcd.0").write_bytes(certificate[0].read_bytes())
    context = create_ssl_context(ConnectionSettings(api_key=KEY, verify=str(tmp_path)))
    assert context.verify_mode is ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_DIR", f"/no/such/place:{tmp_path}")
    assert create_ssl_context(ConnectionSettings(api_key=KEY)).verify_mode is ssl.CERT_REQUIRED


def _unusable(kind: str, folder: Path) -> str:
    path = folder / kind
    if kind == "directory":
        path.mkdir()
    elif kind != "gone":
        path.write_bytes(b"" if kind == "empty" else bytes(range(256)))
    return str(path)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("kind", ["gone", "directory", "empty", "no PEM"])
def test_unusable_certificates_of_the_environment_are_named(
    kind: str, variable: str, tmp_path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variable, value, reason and connection are named, instead of a bare error of the operating system."""
    value = _unusable(kind, tmp_path)
    monkeypatch.setenv(variable, value)
    settings = ConnectionSettings(api_key=KEY, conn_id="lb_prod")
    with pytest.raises(ConnectionSettingsError, match=r"'lb_prod'.*which cannot be used: [a-zA-Z]") as raised:
        runner.run(settings, flows.who_am_i(ONCE))
    assert f"{variable} is {value!r}" in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@pytest.mark.parametrize("kind", ["directory", "empty", "no PEM"])
def test_unusable_certificates_of_the_connection_are_named(kind: str, tmp_path: Path, runner: Runner) -> None:
    """A bundle that exists and holds no certificate is refused by the extra's name."""
    value = _unusable(kind, tmp_path)
    settings = ConnectionSettings(api_key=KEY, verify=value, conn_id="lb_prod")
    with pytest.raises(ConnectionSettingsError, match=r"'lb_prod'.*which cannot be used: [a-zA-Z]") as raised:
        runner.run(settings, flows.who_am_i(ONCE))
    assert f"extra 'verify' is {value!r}" in str(raised.value)


OLD_HTTPX = pytest.mark.skipif(httpx.__version__ < "0.28", reason="this httpx opens no key log without trust_env")


@pytest.mark.parametrize("bundle", [True, pytest.param(False, marks=OLD_HTTPX)])
def test_an_unusable_key_log_is_not_blamed_on_the_certificates(
    bundle: bool, tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSLKEYLOGFILE, which Python opens with every context, is named where it cannot be written."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path))
    if bundle:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    else:
        _usual_ssl_context.cache_clear()
    with pytest.raises(ConnectionSettingsError, match="SSLKEYLOGFILE names"):
        create_ssl_context(ConnectionSettings(api_key=KEY))
