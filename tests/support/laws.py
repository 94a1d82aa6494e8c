"""What the decoder, rulebooks, expressions and topics promise, each as a check of any input."""

import orjson

from broker.errors import RulebookError, SettingsError
from broker.topics import TopicTemplate
from service.core.decode import decode
from service.core.expressions import Expression
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.records import Refused
from service.rulebook import parse_rulebook
from tests.support.core import NOW, RUN, SETTINGS, TOPIC, understood
from tests.support.measured import MEASURED_RUN
from tests.support.rulebook_text import format_rulebook

_RUN = understood(RUN)
_CLIENT_ID = "yieldline-agent-1"


def check_decoding(payload: bytes, topic: str = TOPIC) -> None:
    """Whatever the bytes: runs, or refusals with a sentence that can be sent."""
    found = decode(topic, payload, SETTINGS, NOW)
    assert found
    for each in found:
        if isinstance(each, Refused):
            assert each.reason.endswith((".", "?"))
            orjson.dumps(each.reason)


def check_rulebook(text: str) -> None:
    """It is refused in one sentence, or judges, and is read back as it was written."""
    try:
        rules = parse_rulebook(text, "rules.toml")
    except RulebookError as error:
        _check_sentence(str(error))
        return
    assert parse_rulebook(format_rulebook(rules), "written.toml") == rules
    judge(_RUN, Rulebook(1, rules))


def check_expression(text: str) -> None:
    """It is refused in words, or has a value or a fault."""
    try:
        expression = Expression(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - it may also be well formed
    else:
        found = expression.evaluate(MEASURED_RUN)
        assert (found.value is None) is (found.fault is not None)


def check_template(text: str, topic: str) -> None:
    """It is refused in one sentence, or a topic that it takes apart is put together again."""
    try:
        template = TopicTemplate(text)
    except SettingsError as error:
        _check_sentence(str(error))
        return
    assert template.parse(template.check_topic(_CLIENT_ID)) is None
    found = template.parse(topic)
    if found is not None:
        assert template.format(found.machine_id, found.channel, **found.levels) == topic


def _check_sentence(text: str) -> None:
    assert text.isprintable()
    assert text.endswith((".", "?"))
