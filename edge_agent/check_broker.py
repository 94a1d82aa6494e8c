"""`agent check`, the broker's part: reach it, log in, and prove rights without a made-up result.

The right to publish is asked for on a topic that no machine can have, such as
`factory/v1/_check/ICT-3/test`: services acknowledge and ignore it. On MQTT 5 the PUBACK says
whether the broker allowed it, and whether anybody listens to test topics; on 3.1.1 it says Success
always.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from broker.envelopes import Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection
from broker.tls import own_validity
from broker.topics import Channel
from edge_agent.config import Config, SourceSettings
from edge_agent.findings import Finding, fail, ok, warn
from edge_agent.words import counted

_PROBE: Final = b"{}"
_RENEW_BEFORE: Final = timedelta(days=30)


async def check_broker(config: Config) -> AsyncIterator[Finding]:
    """Yield whether the broker answers, then each machine's rights."""
    where = f"broker {config.broker.host}:{config.broker.port}"
    for number, source in enumerate(config.machines().values()):
        connection = Connection(config.broker, _client_id(source))
        try:
            await connection.open()
            if number == 0:
                login = config.broker.login()
                tls = ", with TLS" if config.broker.tls else ""
                yield ok(f"{where}: answers and takes the login of {login}{tls}.")
                for finding in _check_certificate(config):
                    yield finding
            yield await _check_reading(config, source, connection)
        except (BrokerUnavailable, BrokerRefused) as error:
            yield fail(str(error))
            return  # the next machine would hear the same
        finally:
            await connection.close()
        for finding in await _check_publishing(config, source):
            yield finding


def _check_certificate(config: Config) -> Iterator[Finding]:
    """Yield how long our own certificate, if there is one, is valid."""
    span = own_validity(config.broker)
    if span is None:
        return
    left = span.end - datetime.now(UTC)
    words = f"certificate {config.broker.cert_file}: valid until {span.end:%Y-%m-%d %H:%M} UTC"
    if left < _RENEW_BEFORE:
        yield warn(
            f"{words}, {counted(left.days, 'day')} from now. Put a renewed one in its place."
        )
    else:
        yield ok(f"{words}.")


async def _check_reading(config: Config, source: SourceSettings, connection: Connection) -> Finding:
    if config.agent.delete_on == "puback":
        return warn(
            f"{source.machine_id}: agent.delete_on is puback: what the broker loses is lost."
            " Set it to receipt where the service sends receipts."
        )
    template = config.template()
    wanted = [
        template.subscription(channel, source.machine_id)
        for channel in (Channel.RECEIPT, Channel.REJECTED)
    ]
    try:
        await connection.subscribe(*wanted)
    except BrokerRefused as error:
        return fail(f"{source.machine_id}: {error}")
    return ok(f"{source.machine_id}: the broker granted the subscription to {wanted[0]}.")


async def _check_publishing(config: Config, source: SourceSettings) -> list[Finding]:
    """Ask on MQTT 5, whose PUBACK tells the truth."""
    who = source.machine_id
    connection = Connection(config.broker, _client_id(source), protocol="5")
    try:
        await connection.open()
    except (BrokerUnavailable, BrokerRefused):
        return [
            warn(
                f"{who}: the broker does not speak MQTT 5, and on 3.1.1 nobody hears whether the"
                " right to publish is missing. See `yieldline agent status` for receipts."
            )
        ]
    try:
        return await _ask(config, source, connection)
    except BrokerUnavailable as error:
        return [fail(f"{who}: {error}")]
    finally:
        await connection.close()


async def _ask(config: Config, source: SourceSettings, connection: Connection) -> list[Finding]:
    who, topic = source.machine_id, config.template().check_topic(source.machine_id)
    real, login = config.topic(source, Channel.TEST), config.broker.login()
    is_heard = True
    try:
        refused = await connection.publish([Outgoing(topic, _PROBE)], must_be_heard=True)
    except BrokerUnavailable:
        if connection.is_over:
            raise
        refused, is_heard = [], False
    if refused:
        return [
            fail(
                f"{who}: the broker does not let {login} publish to {topic}, so hardly to {real}."
                " Grant both in its ACL (docs/deploy/mosquitto.acl): without it results are lost."
            )
        ]
    right = ok(f"{who}: the broker lets {login} publish test results of this machine.")
    if is_heard:
        return [
            right,
            ok(f"{who}: somebody listens to test results; a receipt proves the service."),
        ]
    return [
        right,
        warn(
            f"{who}: nobody listens to test results at this broker. Start `yieldline service`;"
            " until it sends receipts the spool keeps everything."
        ),
    ]


def _client_id(source: SourceSettings) -> str:
    return f"yieldline-check-{source.machine_id}-{secrets.token_hex(3)}"
