"""Topic templates: what they take apart, and what they promise of any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import SettingsError
from broker.topics import TopicTemplate
from tests.support.laws import check_template

LEVELS = st.sampled_from(
    [*"a+#{}", "{line}", "{site}", "{machine_id}", "{channel}", "{lime}", "{}", "", "\x00", "é"]
)
PARTS = st.sampled_from(["a", "M-1", "_check", "test", "state", "tset", "", "+", "x" * 65])


@settings(deadline=None)
@given(
    st.lists(LEVELS, max_size=6).map("/".join),
    st.lists(PARTS, max_size=6).map("/".join),
)
def test_any_template_is_refused_in_a_sentence_or_puts_its_topics_together_again(
    text: str, topic: str
) -> None:
    check_template(text, topic)
    check_template(f"{text}/{{machine_id}}/{{channel}}", topic)


@pytest.mark.parametrize(
    ("template", "topic"),
    [
        ("f/{line}/{machine_id}/{channel}", "f/_check/agent-1/test"),
        ("f/{machine_id}/{channel}", "f/_check-agent-1/test"),
        ("{machine_id}/{site}/{channel}", "agent-1/_check/test"),
    ],
)
def test_no_machine_has_the_topic_that_rights_are_proved_on(template: str, topic: str) -> None:
    made = TopicTemplate(template)
    assert made.check_topic("agent-1") == topic
    assert made.parse(topic) is None


def test_a_placeholder_with_a_control_character_is_quoted() -> None:
    with pytest.raises(SettingsError, match=r"'\{\\x16\}' is not a placeholder") as caught:
        TopicTemplate("{\x16}/")
    assert str(caught.value).isprintable()
