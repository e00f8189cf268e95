"""A production S3 on one host: Ceph's monitor, one OSD that keeps objects in memory, and the RADOS gateway."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.servers.processes import ServerMissingError, Servers, free_port, is_listening, until

INSTALL = "apt-get update && apt-get install --no-install-recommends radosgw ceph-mon ceph-mgr ceph-osd ceph-common"
_PROGRAMS = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-authtool", "monmaptool", "radosgw", "radosgw-admin")
_GATEWAY = "client.rgw.bench"
_MEMORY = 8 * 1024**3

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{monitor_port}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
public_network = 127.0.0.0/8
ms_bind_ipv6 = false
auth_client_required = cephx
auth_cluster_required = cephx
auth_service_required = cephx
keyring = {home}/keyring
log_file = {home}/$name.log
pid_file = {home}/$name.pid
admin_socket = {home}/$name.asok
run_dir = {home}
crash_dir = {home}
mon_data = {home}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mgr_data = {home}/mgr
osd_data = {home}/osd
osd_objectstore = memstore
memstore_device_bytes = {memory}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 0

[{gateway}]
rgw_data = {home}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{gateway_port}
rgw_gc_obj_min_wait = 0
"""


class Ceph:
    """A running cluster. `pids` are its processes, for whoever counts their CPU."""

    def __init__(self, servers: Servers, home: Path, *, access_key: str, secret_key: str) -> None:
        if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
            raise ServerMissingError(f"{', '.join(missing)} not found. As root: {INSTALL}")
        shutil.rmtree(home, ignore_errors=True)
        for folder in ("mon", "mgr", "osd", "rgw"):
            (home / folder).mkdir(parents=True)
        self._home = home
        self._servers = servers
        self.pids: list[int] = []
        fsid, monitor_port, gateway_port = str(uuid.uuid4()), free_port(), free_port()
        (home / "ceph.conf").write_text(
            _CONFIGURATION.format(
                fsid=fsid,
                monitor_port=monitor_port,
                gateway_port=gateway_port,
                gateway=_GATEWAY,
                home=home,
                memory=_MEMORY,
            )
        )
        self._keys()
        self._monitor(fsid, monitor_port)
        self._daemon("ceph-mgr", "-i", "a")
        self._run("ceph", "osd", "create")
        self._run("ceph-osd", "-i", "0", "--mkfs")
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=one")
        self._daemon("ceph-osd", "-i", "0")
        until("the OSD", lambda: " 1 up" in self._run("ceph", "osd", "stat"))
        self._daemon("radosgw", "-n", _GATEWAY)
        until("the RADOS gateway", lambda: is_listening(gateway_port), 120)
        self._admin(
            *("user", "create", "--uid=bench", "--display-name=bench"),
            *(f"--access-key={access_key}", f"--secret-key={secret_key}"),
        )
        self.endpoint = f"http://127.0.0.1:{gateway_port}"
        self.version = self._run("ceph", "--version").split()[2]

    def collect_garbage(self) -> None:
        """Remove the bytes of deleted objects now, so that it does not happen while something is measured."""
        self._admin("gc", "process", "--include-all")

    def _keys(self) -> None:
        everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        keyring = str(self._home / "keyring")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "mgr.a", "osd.0", _GATEWAY):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)

    def _monitor(self, fsid: str, port: int) -> None:
        monmap, keyring = str(self._home / "monmap"), str(self._home / "keyring")
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{port}]", monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        until("Ceph's monitor", lambda: is_listening(port))
        self._run("ceph", "auth", "import", "-i", keyring)

    def _daemon(self, program: str, *arguments: str) -> None:
        process: subprocess.Popen[Any] = self._servers.start(program, self._command(program, "-f", *arguments))
        time.sleep(0.2)
        if process.poll() is not None:
            raise ServerMissingError(f"{program} ended: {self._servers.log(program)}")
        self.pids.append(process.pid)

    def _admin(self, *arguments: str) -> str:
        return self._run("radosgw-admin", *arguments, "-n", _GATEWAY)

    def _command(self, program: str, *arguments: str) -> Sequence[str]:
        return (program, "-c", str(self._home / "ceph.conf"), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        plain = program in ("monmaptool", "ceph-authtool")
        command = (program, *arguments) if plain else self._command(program, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise ServerMissingError(f"{' '.join((program, *arguments))} failed: {done.stderr[-500:]}")
        return done.stdout
