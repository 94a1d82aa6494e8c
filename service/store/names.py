"""The integers of names, looked up and given out for the writer."""

from collections.abc import Iterable

from service.store.codes import NameKind
from service.store.drivers import Driver, table

_NAME = table("name", kind="int2", text="text")
_NAMES_MAX = 500_000  # beyond it the cache starts anew: names are few, unless a sender misuses them


class Names:
    """The ids of names seen so far, one dictionary a kind: `names.of[NameKind.STEP]["c17"]`."""

    def __init__(self) -> None:
        self.of: dict[NameKind, dict[str, int]] = {kind: {} for kind in NameKind}

    def learn(self, driver: Driver, wanted: Iterable[tuple[NameKind, str]]) -> None:
        """Look up `wanted` and give new names their ids.

        The caller's transaction holds nothing else, so that an id in the cache is committed: a
        later rollback cannot take it back. Sorted, so that two services never wait for each other
        in a circle.
        """
        if sum(map(len, self.of.values())) > _NAMES_MAX:
            self.forget()
        missing = sorted({each for each in wanted if each[1] not in self.of[each[0]]})
        if not missing:
            return
        driver.upsert(_NAME, missing, "ON CONFLICT (kind, text) DO NOTHING")
        found = driver.match(
            missing,
            ("int2", "text"),
            "SELECT n.kind, n.text, n.id FROM k JOIN name n ON n.kind = k.k0 AND n.text = k.k1",
        )
        for kind, text, number in found:
            self.of[NameKind(kind)][text] = number

    def forget(self) -> None:
        """Drop the cache, after the connection was lost or the database replaced."""
        for names in self.of.values():
            names.clear()
