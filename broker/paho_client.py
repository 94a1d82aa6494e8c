"""paho as `broker.link` needs it: on our socket, without a thread, without bounds of its own.

The only file that imports paho. What arrives on MQTT 3.1.1 takes the express lane past it.
"""

import socket
import ssl
from typing import Any, TypeAlias

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.buffered import BufferedSocket
from broker.envelopes import Delivery, Outgoing
from broker.express import ExpressLane
from broker.sections import BrokerSettings

Reason: TypeAlias = ReasonCode
"""What the broker says of a packet: `value`, `is_failure`, and its words as text."""


class PahoClient(mqtt.Client):
    """paho, behind a socket that reads ahead: the one override of a private name.

    A test says when paho renames it.
    """

    lane: ExpressLane | None = None
    """Takes PUBLISH and PUBACK before paho sees them; None on MQTT 5."""
    tls: ssl.SSLContext | None = None
    """Not given to paho, which leaves a socket behind when a handshake fails."""

    def _create_socket(self) -> BufferedSocket:
        raw: Any = super()._create_socket()
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                raw = self.tls.wrap_socket(
                    raw, server_hostname=self.host, do_handshake_on_connect=False
                )
                raw.settimeout(self.connect_timeout)
                raw.do_handshake()
        except BaseException:
            raw.close()
            raise
        return BufferedSocket(raw, self.lane.take if self.lane else None)

    def can_read_on(self) -> bool:
        """Handle what the socket has; False when the connection is of no more use."""
        try:
            return self.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        except ConnectionError:
            return False

    def publish_v5(self, message: Outgoing) -> int:
        """Publish at QoS 1 on MQTT 5, with its correlation data; return its packet id."""
        properties = None
        if message.correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = message.correlation
        topic, payload, retain = message.topic, message.payload, message.retain
        return self.publish(topic, payload, 1, retain, properties).mid


def make_client(
    settings: BrokerSettings,
    client_id: str,
    *,
    is_v5: bool,
    clean_session: bool,
    will: Outgoing | None,
) -> PahoClient:
    """Return a client that is not connected and whose callbacks are not set."""
    options: dict[str, Any] = {} if is_v5 else {"clean_session": clean_session}
    client = PahoClient(
        CallbackAPIVersion.VERSION2,
        client_id,
        protocol=mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311,
        manual_ack=True,
        reconnect_on_failure=False,
        **options,
    )
    client.connect_timeout = settings.connect_timeout_s
    client.max_inflight_messages_set(0)  # no bound of paho's own: a batch is the bound
    client.max_queued_messages_set(0)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.secret())
    if will:
        client.will_set(will.topic, will.payload, 1, will.retain)
    client.on_socket_register_write = lambda *_: None  # external loop: we flush ourselves
    return client


def delivery_of(message: mqtt.MQTTMessage) -> Delivery:
    """Return what paho received (all of it on MQTT 5) as ours."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = "\N{REPLACEMENT CHARACTER}"  # fits no template: becomes a bad_topic rejection
    wanted = message.properties  # None on MQTT 3.1.1
    response_topic = getattr(wanted, "ResponseTopic", None)
    correlation = getattr(wanted, "CorrelationData", None)
    payload, mid, retained = bytes(message.payload), message.mid, message.retain
    return Delivery(topic, payload, mid, retained, response_topic, correlation)
