"""A broker for one machine: Mosquitto where it is installed, else one from pip, on loopback.

For trying things out and for a small floor. A plant runs Mosquitto with `mosquitto.conf`.
"""

import contextlib
import importlib.util
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from enum import StrEnum
from pathlib import Path

from broker.errors import BrokerUnavailable, SettingsError
from broker.handles import raise_handle_limit

PACKET_BYTES_MAX = 1_310_720
"""Largest MQTT packet a broker of ours takes: 1 MiB of payload, its topic and room to spare."""

_IN_FLIGHT_MAX = 1_000
_MOSQUITTO_PLACES = (
    "/usr/sbin",  # Debian puts it there, off most people's PATH
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
    r"C:\Program Files\mosquitto",
)
_PROBE_TIMEOUT_S = 1.0
_LOOK_S = 1.0
_SILENCE_S = 5.0  # twice so long, and it is not busy but gone
_CONNACK = 0x20


class BrokerKind(StrEnum):
    """Which broker runs beside us."""

    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"


def find_mosquitto() -> Path | None:
    """Return the Mosquitto program of this machine; None where there is none."""
    places = os.pathsep.join([os.environ.get("PATH", ""), *_MOSQUITTO_PLACES])
    found = shutil.which("mosquitto", path=places)
    return Path(found) if found else None


def has_embedded() -> bool:
    """Tell whether the broker from pip is installed."""
    return importlib.util.find_spec("iotcore") is not None


def choose_kind(wanted: str) -> BrokerKind:
    """Return which broker to start.

    Args:
        wanted: `auto`, `mosquitto` or `embedded`.

    Raises:
        SettingsError: It is not installed; the sentence says what to install.
    """
    if wanted != BrokerKind.EMBEDDED and find_mosquitto():
        return BrokerKind.MOSQUITTO
    if wanted == BrokerKind.MOSQUITTO:
        raise SettingsError(
            "--broker mosquitto: Mosquitto is not installed. Install it, or use --broker embedded."
        )
    if has_embedded():
        return BrokerKind.EMBEDDED
    raise SettingsError(
        f"--broker {wanted}: neither Mosquitto nor the package iotcore is installed."
        " Install one of them, or name a running broker with --broker none."
    )


def describe(kind: BrokerKind, port: int) -> str:
    """Return the sentence for the start-up: which broker, where, and what it may lose."""
    if kind is BrokerKind.MOSQUITTO:
        return (
            f"Mosquitto on 127.0.0.1:{port}. It keeps undelivered messages over a normal stop;"
            " if it is killed, those of the last 30 seconds that carry no receipt are lost."
        )
    return (
        f"the embedded broker (iotcore) on 127.0.0.1:{port}, for trials: it keeps everything in"
        " memory and no retained messages, so whatever is undelivered is lost when it stops."
        " It speaks MQTT 3.1.1 only; an MQTT 5 client gets no answer. Install Mosquitto to keep it."
    )


def mosquitto_conf(port: int, data_dir: Path, *, as_root: bool = False) -> str:
    """Return the configuration of a Mosquitto (2.0 or newer) for this machine alone.

    Args:
        port: Where to listen, on loopback only.
        data_dir: Folder for its file; must exist.
        as_root: It is started by root and stays root, since the folder is root's.
    """
    user = "# Started by root; another user could not write to this folder.\nuser root\n"
    return f"""\
# Written by Yieldline at every start; a plant's broker has mosquitto.conf instead.
{user if as_root else ""}\
# Loopback only: who can reach it is already on this machine, so no login is asked for.
listener {port} 127.0.0.1
allow_anonymous true
# Sessions and queues outlive a normal stop. They are saved by time, not at each change, because
# each save rewrites the whole file; kill -9 loses what came since the last save.
persistence true
persistence_location {data_dir.resolve()}{os.sep}
persistence_file mosquitto.db
autosave_interval 30
# A kept session of a client that never comes back ends some day.
persistent_client_expiration 14d
# Without it each small message waits 40 ms for Nagle and the delayed ACK.
set_tcp_nodelay true
# The window of unacknowledged messages; the default of 20 starves a service that batches.
max_inflight_messages {_IN_FLIGHT_MAX}
# Beyond them Mosquitto drops silently and tells the sender Success; the default is 1000.
max_queued_messages 1000000
max_queued_bytes 1073741824
# 1 MiB of payload and its topic. Never message_size_limit, which drops without a word.
max_packet_size {PACKET_BYTES_MAX}
# An MQTT 5 client is told to ping this often; a dead one is noticed within three minutes.
max_keepalive 120
# Fresh figures of dropped messages for the system page.
sys_interval 10
log_dest stderr
log_type error
log_type warning
connection_messages false
"""


def write_mosquitto_conf(port: int, data_dir: Path) -> Path:
    """Write the configuration into `data_dir` (made if missing) and return its path.

    Raises:
        SettingsError: The folder cannot be written.
    """
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    path = data_dir / "mosquitto.conf"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        path.write_text(mosquitto_conf(port, data_dir, as_root=as_root), "utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}). Choose another --data-dir."
        ) from error
    return path


def broker_answers(host: str, port: int, timeout_s: float = _PROBE_TIMEOUT_S) -> bool:
    """Tell whether an MQTT broker, not just anything, answers without TLS.

    Sends a CONNECT and looks for a CONNACK, whatever it says: one that refuses us is a broker.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_connect_packet())
            answer = connection.recv(4)
            with contextlib.suppress(OSError):
                connection.sendall(b"\xe0\x00")  # DISCONNECT
    except OSError:
        return False
    return answer[:1] == bytes([_CONNACK])


def _connect_packet() -> bytes:
    client_id = f"yieldline-probe-{secrets.token_hex(3)}".encode()
    variable = b"\x00\x04MQTT\x04\x02\x00\x0a"  # protocol 3.1.1, clean session, keepalive 10 s
    rest = variable + len(client_id).to_bytes(2) + client_id
    return bytes([0x10, len(rest)]) + rest


def port_is_free(host: str, port: int) -> bool:
    """Tell whether we could listen there: nobody does, and the system lets us."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else TIME_WAIT is "taken"
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def run_broker(wanted: str, port: int, data_dir: Path) -> int:
    """Run a broker in the foreground until SIGINT or SIGTERM; the command `yieldline broker`.

    Args:
        wanted: `auto`, `mosquitto` or `embedded`.
        port: Where to listen, on 127.0.0.1.
        data_dir: Where Mosquitto keeps its file.

    Returns:
        The exit code.

    Raises:
        SettingsError: It is not installed, the port is taken or the folder cannot be written.
    """
    kind = choose_kind(wanted)
    if not port_is_free("127.0.0.1", port):
        raise SettingsError(
            f"port {port} is in use by another program. Choose another with --port,"
            " or stop the other program."
        )
    if kind is BrokerKind.EMBEDDED:
        return _run_embedded(port)
    command = [str(find_mosquitto()), "-c", str(write_mosquitto_conf(port, data_dir))]
    raise_handle_limit()
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - we become Mosquitto, there is no shell
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command line


def _run_embedded(port: int) -> int:
    from iotcore.iotcore import IotCoreBroker  # noqa: PLC0415 - the bare agent does not have it

    # Its routing spans arrive as errors, one a packet.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL + 1)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # It would listen on every address and take 20,480 bytes.
    broker = IotCoreBroker(
        listen="127.0.0.1",
        port=port,
        max_payload_size=PACKET_BYTES_MAX,
        max_inflight_count=_IN_FLIGHT_MAX,
    )
    try:
        broker.check_ports()
        broker.start()
    except OSError as error:
        raise BrokerUnavailable(
            f"the embedded broker cannot listen on 127.0.0.1:{port} ({error})."
        ) from error
    while not stop.wait(_LOOK_S):  # a timeout, because Windows hears Ctrl-C only between waits
        if not any(broker_answers("127.0.0.1", port, _SILENCE_S) for _ in range(2)):
            raise BrokerUnavailable(
                f"the embedded broker on 127.0.0.1:{port} answers nobody any more and ends: so it"
                " does when one who shares a subscription goes with messages in hand. Start it"
                " again, or install Mosquitto."
            )
    return 0
