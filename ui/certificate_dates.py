"""Until when the certificates are valid that this process meets on its way to the broker."""

import asyncio
from datetime import datetime
from typing import Final

from broker.sections import BrokerSettings
from broker.tls import own_validity, shown_validity

_LOOK_S: Final = 3_600.0
_OF_BROKER: Final = "broker"
_OWN: Final = "client"


class CertificateDates:
    """Looks once an hour; without TLS there is nothing to look at."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self.ends: dict[str, datetime] = {}
        """When which ends to be valid: `broker`, what the broker shows; `client`, what we show."""

    async def keep(self) -> None:
        """Keep them up to date until cancelled."""
        while self._settings.tls:
            self.ends = await asyncio.to_thread(self._look)
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> dict[str, datetime]:
        try:
            own = own_validity(self._settings)
        except (OSError, ValueError):
            own = None  # the connections say what is wrong with it
        spans = {_OF_BROKER: shown_validity(self._settings), _OWN: own}
        return {name: span.end for name, span in spans.items() if span is not None}
