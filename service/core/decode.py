"""From the bytes on a test topic to runs that were understood, and refusals. Pure: no I/O.

Whatever the bytes, nothing here raises: what cannot be understood comes back as `Refused`, with its
bytes and a sentence on what to do. In an array only the bad elements are refused.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from broker.identity import content_hash, given_message_id
from broker.messages import ELEMENTS_MAX, MEASUREMENT, RUN, Measurement, RejectionCode, Run
from broker.topics import Channel, Topic, TopicTemplate
from service.core.complaints import complain, kind_of
from service.core.payload import (
    explain_unreadable,
    find_unstorable,
    may_hold_unstorable,
    parse_json,
    read_message_id,
    split_array,
)
from service.core.records import AnyMeasurement, DecodedRun, Refused
from service.core.words import quote

_AHEAD_MAX: Final = timedelta(minutes=5)
_AGE_MAX: Final = timedelta(days=30)
_USUAL_TOPIC_CHARS_MAX: Final = 512  # seven ids of 64 characters, and what stands between them
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NO_TEMPLATE: Final = TopicTemplate("{machine_id}/{channel}")  # where the topic does not matter


class DecodeSettings(NamedTuple):
    """What decoding needs to know of this plant."""

    template: TopicTemplate
    payload_bytes_max: int
    """A larger message is refused."""
    zone_of: Callable[[str], tzinfo]
    """The time zone of a machine id, for times without an offset."""


class _Arrival(NamedTuple):
    """What is known of a message before it is opened."""

    topic: str
    place: Topic
    settings: DecodeSettings
    received_at: datetime


class _Trouble(NamedTuple):
    """Why one message or element is refused."""

    code: RejectionCode
    reason: str
    message_id: str | None


_Decoded: TypeAlias = DecodedRun | _Trouble


def decode(
    topic: str, payload: bytes, settings: DecodeSettings, received_at: datetime
) -> list[DecodedRun | Refused]:
    """Understand one message of a test topic.

    Args:
        topic: Where it arrived.
        payload: Its bytes; any.
        settings: The topic template, the size limit and the machines' time zones.
        received_at: When it arrived, aware UTC; machine clocks are compared with it.

    Returns:
        At least one element: a run or a refusal, and for an array one per element, in order.
        Never raises, whatever the bytes.
    """
    place = _parse_topic(settings.template, topic)
    if place is None or place.channel is not Channel.TEST:
        reason = (
            f"topic {quote(topic)} is not a test topic of {settings.template.text!r}. Publish to"
            " one, with ids of letters, digits, '.', '_' and '-'."
        )
        return [Refused(topic, None, None, RejectionCode.BAD_TOPIC, reason, payload, None)]
    arrival = _Arrival(topic, place, settings, received_at)
    if len(payload) > settings.payload_bytes_max:
        reason = (
            f"{len(payload):,} bytes are more than the {settings.payload_bytes_max:,} that are"
            " taken. Send it in parts, or raise service.payload_bytes_max."
        )
        trouble = _Trouble(RejectionCode.TOO_LARGE, reason, read_message_id(payload))
        return [_refuse(trouble, payload, arrival)]
    try:
        content = parse_json(payload)
    except ValueError as error:
        return _decode_damaged(payload, error, arrival)
    if type(content) is list:
        return _decode_array(content, payload, arrival)
    one = _decode_one(content, arrival, look_closer=may_hold_unstorable(payload))
    return [_refuse(one, payload, arrival) if isinstance(one, _Trouble) else one]


def decode_stored(
    payload: bytes, machine_id: str, elements: Sequence[int | None]
) -> list[DecodedRun]:
    """Understand a message again that was understood and stored once.

    Args:
        payload: Its bytes.
        machine_id: Whose it is.
        elements: Which of the array's elements are wanted; [None] where it is no array.

    Returns:
        One run for each of `elements`. Its line is not known any more, and a time without an
        offset is taken for UTC: both are stored with the run.

    Raises:
        ValueError: These are not the bytes of a stored run.
    """
    place = Topic(machine_id, Channel.TEST)
    settings = DecodeSettings(_NO_TEMPLATE, len(payload), lambda _: UTC)
    arrival = _Arrival("", place, settings, _ANY_TIME)
    found = [
        _decode_one(content, arrival, look_closer=False, element=element)
        for element, content in zip(elements, _contents(payload, elements), strict=True)
    ]
    runs = [each for each in found if isinstance(each, DecodedRun)]
    if len(runs) < len(found):
        raise ValueError("a stored message is not understood any more")
    return runs


def _contents(payload: bytes, elements: Sequence[int | None]) -> list[object]:
    try:
        content = parse_json(payload)
    except ValueError:  # of a damaged array the good elements were stored
        pieces = split_array(payload) or ()
        return [parse_json(pieces[each or 0]) for each in elements]
    return [content if each is None else content[each] for each in elements]


def _parse_topic(template: TopicTemplate, topic: str) -> Topic | None:
    """Take it apart; MQTT allows 65,535 bytes, and many such would fill the memory."""
    is_usual = len(topic) <= _USUAL_TOPIC_CHARS_MAX
    return _parse_usual_topic(template, topic) if is_usual else template.parse(topic)


@lru_cache(maxsize=16_384)
def _parse_usual_topic(template: TopicTemplate, topic: str) -> Topic | None:
    return template.parse(topic)


def _refuse(
    trouble: _Trouble, payload: bytes, arrival: _Arrival, element: int | None = None
) -> Refused:
    where = "" if element is None else f"element {element}: "
    return Refused(
        topic=arrival.topic,
        machine_id=arrival.place.machine_id,
        message_id=trouble.message_id,
        code=trouble.code,
        reason=where + trouble.reason,
        payload=payload,
        element=element,
    )


# -- arrays --------------------------------------------------------------------------------------


def _decode_array(
    content: list[object], payload: bytes, arrival: _Arrival
) -> list[DecodedRun | Refused]:
    if not 1 <= len(content) <= ELEMENTS_MAX:
        return [_refuse(_wrong_count(len(content)), payload, arrival)]
    look_closer = may_hold_unstorable(payload)
    decoded = [
        _decode_one(each, arrival, look_closer=look_closer, element=index)
        for index, each in enumerate(content)
    ]
    return _with_their_bytes(decoded, payload, arrival)


def _with_their_bytes(
    decoded: list[_Decoded], payload: bytes, arrival: _Arrival
) -> list[DecodedRun | Refused]:
    """Give every trouble the bytes of its element; cutting is left out where all is well."""
    pieces: Sequence[bytes] = ()
    if any(isinstance(each, _Trouble) for each in decoded):
        pieces = split_array(payload) or ()
    return [
        _refuse(each, pieces[index], arrival, index) if isinstance(each, _Trouble) else each
        for index, each in enumerate(decoded)
    ]


def _decode_damaged(
    payload: bytes, error: ValueError, arrival: _Arrival
) -> list[DecodedRun | Refused]:
    """Refuse what is no JSON; of an array in which other elements are, only what is not."""
    pieces = split_array(payload) or ()
    if len(pieces) > ELEMENTS_MAX:
        return [_refuse(_wrong_count(len(pieces)), payload, arrival)]
    decoded: list[_Decoded] = []
    readable = 0
    for index, piece in enumerate(pieces):
        try:
            content = parse_json(piece)
        except ValueError as wrong:
            decoded.append(_unreadable(piece, wrong))
            continue
        readable += 1
        look_closer = may_hold_unstorable(piece)
        decoded.append(_decode_one(content, arrival, look_closer=look_closer, element=index))
    if not readable:
        return [_refuse(_unreadable(payload, error), payload, arrival)]
    return _with_their_bytes(decoded, payload, arrival)


def _wrong_count(count: int) -> _Trouble:
    if count:
        reason = f"an array of {count:,} elements is too long. Send at most {ELEMENTS_MAX:,}."
    else:
        reason = "the array is empty. Send at least one Measurement or Run."
    return _Trouble(RejectionCode.SCHEMA, reason, None)


def _unreadable(payload: bytes, error: ValueError) -> _Trouble:
    code, reason = explain_unreadable(payload, error)
    return _Trouble(code, reason, read_message_id(payload))


# -- one message ---------------------------------------------------------------------------------


def _decode_one(
    content: object, arrival: _Arrival, *, look_closer: bool, element: int | None = None
) -> _Decoded:
    if type(content) is not dict:
        reason = f"it is {kind_of(content)}, not an object. Send a Measurement or a Run."
        return _Trouble(RejectionCode.SCHEMA, reason, None)
    if look_closer and (found := find_unstorable(content)):
        reason = f"{found}. Correct it and send it again."
        return _Trouble(RejectionCode.SCHEMA, reason, given_message_id(content))
    is_run = "measurements" in content  # else it is flat
    message: Run | Measurement
    try:
        message = (RUN if is_run else MEASUREMENT).validate_python(content)
    except ValidationError as error:
        return _Trouble(RejectionCode.SCHEMA, complain(error), given_message_id(content))
    place = arrival.place
    if message.machine_id is not None and message.machine_id != place.machine_id:
        reason = (
            f"the topic is of machine {place.machine_id!r}, the message of {message.machine_id!r}."
            " Publish it to that machine's topic, or leave machine_id out."
        )
        return _Trouble(RejectionCode.MACHINE_MISMATCH, reason, message.message_id)
    try:
        return _as_run(message, content_hash(content), arrival, element)
    except (OverflowError, ValueError):  # a time that no calendar has in UTC, such as year 0
        reason = "its time is outside the years 1 to 9999 in UTC. Correct it and send it again."
        return _Trouble(RejectionCode.SCHEMA, reason, message.message_id)


def _as_run(
    message: Run | Measurement, hashed: bytes, arrival: _Arrival, element: int | None
) -> DecodedRun:
    """Make a run of either form; a flat measurement is a run of one."""
    place = arrival.place
    measurements: tuple[AnyMeasurement, ...]
    if isinstance(message, Run):
        procedure, measurements = message.procedure, message.measurements
        started_at = _as_utc(message.started_at, arrival)
        ended_at = None if message.ended_at is None else _as_utc(message.ended_at, arrival)
    else:
        procedure, measurements = message.procedure or message.test_step, (message,)
        started_at, ended_at = _as_utc(message.timestamp, arrival), None
    return DecodedRun(
        place.machine_id,
        place.line,
        message.message_id or hashed.hex(),
        message.message_id is not None,
        hashed,
        procedure,
        started_at,
        ended_at,
        _is_clock_suspect(started_at, arrival.received_at, is_from_file=message.source is not None),
        message,
        measurements,
        element,
    )


def _as_utc(moment: datetime, arrival: _Arrival) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=arrival.settings.zone_of(arrival.place.machine_id))
    return moment.astimezone(UTC)


def _is_clock_suspect(started_at: datetime, received_at: datetime, *, is_from_file: bool) -> bool:
    """Tell whether the machine's clock is ahead, or so late that only a log file explains it."""
    if started_at > received_at + _AHEAD_MAX:
        return True
    return not is_from_file and started_at < received_at - _AGE_MAX
