"""Who reads the live stream through the API and does not keep up."""

from broker.feed import LiveMessage
from broker.settings import Settings
from broker.topics import Channel, Topic
from ui.access.callers import LOCAL
from ui.api.live import LiveQuery, _Reader
from ui.state import AppState


async def test_a_reader_that_sleeps_holds_no_more_than_may_wait_and_then_hears_the_end(
    sqlite_url: str,
) -> None:
    state = AppState(Settings.model_validate({"database": {"url": sqlite_url}}))
    messages = [LiveMessage(Topic("M1", Channel.RESULT), b"{}", retained=False)] * 1_000
    with _Reader(state, LiveQuery(), LOCAL) as reader:
        for _ in range(5):
            state.live._pass_on(messages)
        assert len(reader._waiting) == 5_000
        for _ in range(20):
            state.live._pass_on(messages)
        assert len(reader._waiting) == 0
        assert await reader.next(1) is None
        assert reader.is_behind
