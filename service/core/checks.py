"""A check, from its bytes to what may be said of it, and where. Pure: no I/O."""

from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from broker.messages import MESSAGE_ID_CHARS_MAX, Check
from broker.topics import Channel, Topic, TopicTemplate
from service.core.complaints import complain

CHECK_BYTES_MAX: Final = 16_384
"""A check is four short texts; what is longer is something else."""
_NOT_IN_A_TOPIC: Final = frozenset("+#\0")
_TOPIC_BYTES_MAX: Final = 1_024


class BadCheck(NamedTuple):
    """A check that was not understood."""

    request_id: str | None
    """None: it could not be read, so nobody can be answered."""
    reason: str


def read_check(payload: bytes, topic: Topic) -> Check | BadCheck:
    """Return the check in a payload; what is wrong with it where it is none. Never raises."""
    if len(payload) > CHECK_BYTES_MAX:
        said = f"a check of {len(payload)} bytes is too long. Send at most {CHECK_BYTES_MAX}."
        return BadCheck(None, said)
    try:
        check = Check.model_validate_json(payload)
    except ValidationError as error:
        return BadCheck(_request_id_of(payload), complain(error))
    said_machine = (check.model_extra or {}).get("machine_id", topic.machine_id)
    if said_machine != topic.machine_id:
        reason = (
            f"the topic says machine {topic.machine_id}, the check {str(said_machine)[:64]!r}."
            " Correct one of them, or leave machine_id out."
        )
        return BadCheck(check.request_id, reason)
    return check


def verdict_topic(
    template: TopicTemplate, check_topic: str, machine_id: str, response_topic: str | None
) -> str:
    """Return where a verdict is published: where the sender wants it, else on the machine's topic.

    A response topic that is another machine's, or another of ours, is not believed: the service may
    write there, the sender may not.

    Args:
        template: The plant's.
        check_topic: Where the check came.
        machine_id: Whose it is.
        response_topic: MQTT 5 only.
    """
    own = f"{check_topic.rpartition('/')[0]}/{Channel.VERDICT.value}"
    if response_topic is None or not _is_plain(response_topic):
        return own
    ours = template.parse(response_topic)
    if ours is None or (ours.channel is Channel.VERDICT and ours.machine_id == machine_id):
        return response_topic
    return own


def _is_plain(topic: str) -> bool:
    is_short = 0 < len(topic.encode(errors="replace")) <= _TOPIC_BYTES_MAX
    return is_short and not topic.startswith("$") and _NOT_IN_A_TOPIC.isdisjoint(topic)


def _request_id_of(payload: bytes) -> str | None:
    try:
        message: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    found = message.get("request_id") if isinstance(message, dict) else None
    is_one = isinstance(found, str) and 0 < len(found) <= MESSAGE_ID_CHARS_MAX
    return found if is_one else None
