"""The search for logs that went from their place: renamed, copied and emptied, or compressed."""

import os
from collections.abc import Callable, Collection, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Final

from edge_agent.looks import Candidate, Key, Work, key_of
from edge_agent.lost import Folder, Lost, is_given_up
from edge_agent.spool import Spool
from edge_agent.tail import signature
from edge_agent.watch import Watch

_A_ROUND: Final = 100
_PATIENCE: Final = 3.0
"""Times settle_s that a file is searched: it may just be compressed."""

Look = Callable[[Work, Candidate, int], object]
"""Looks at a file, which may be the one of this id and no other."""


class Search:
    """Looks into the folders of lost files, at what may be them.

    Args:
        spool: What is known of them.
        watch: Which are lost; the look takes out what it finds.
        look: How to look at a candidate.
    """

    def __init__(self, spool: Spool, watch: Watch, look: Look) -> None:
        self._spool, self._watch, self._look = spool, watch, look

    def once(self, works: Sequence[Work], taken: Collection[Key]) -> list[int]:
        """Search for lost files, some of many.

        Args:
            works: All sources, and how they are read in this round.
            taken: Files that are looked at anyway.

        Returns:
            Ids of those that were searched for long enough.

        Raises:
            SpoolFull: The spool cannot be asked.
        """
        given_up: list[int] = []
        by_source = {(work.source.machine_id, work.source.path): work for work in works}
        some = [
            (os.path.dirname(lost.path), file_id, lost)  # noqa: PTH120
            for file_id, lost in islice(self._watch.lost.items(), _A_ROUND)
        ]
        names = {name for _, name in taken} if some else set()
        for parent, group in groupby(sorted(some), key=itemgetter(0)):
            try:
                folder = Folder(parent, names)
            except FileNotFoundError:
                folder = None
            except OSError:
                continue  # it is said where it is listed
            for _, file_id, lost in group:
                work = by_source[lost.machine_id, lost.pattern]
                if folder:
                    self._search_for(file_id, lost, work, folder)
                if self._was_last(file_id, work):
                    given_up.append(file_id)
        return given_up

    def _search_for(self, file_id: int, lost: Lost, work: Work, folder: Folder) -> None:
        known = self._spool.files.known(file_id)
        for path in folder.candidates(known) if known else ():
            key = key_of(lost.machine_id, path)
            try:
                found = signature(path)
            except OSError:
                continue
            if found:
                self._look(work, Candidate(key, path, found), file_id)
            if file_id not in self._watch.lost:
                self._watch.follow(key, lost.pattern)
                return

    def _was_last(self, file_id: int, work: Work) -> bool:
        lost = self._watch.lost.pop(file_id, None)
        if lost is None:
            return False
        lost = lost._replace(searches=lost.searches + 1)
        self._watch.lost[file_id] = lost  # behind the others
        patience_s = _PATIENCE * work.source.settle_s
        return is_given_up(lost, patience_s, is_final=work.is_final)
