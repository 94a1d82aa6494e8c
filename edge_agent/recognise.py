"""Which of the files that were read is this one? Asked whenever a file is opened.

By its inode or its path, then by content alone: a copy, a compressed one, one that came back. The
content decides where any was read, so a wrong guess costs a look and never a line.
"""

from typing import Final, NamedTuple

from edge_agent.filebook import KnownFile, Place
from edge_agent.spool import Spool
from edge_agent.tail import HEAD_BYTES, LogFile, Mark, inode_of, signature
from edge_agent.zipped import is_zipped

_WHOLE_BYTES_MAX: Final = 65_536
"""Up to here a file that grows in its place is compared whole; beyond, by head and tail."""


class Recognised(NamedTuple):
    """A file, and what it took the place of."""

    known: KnownFile
    replaced: tuple[int, ...]
    """Ids of the files that stood at its path before."""


def recognise(spool: Spool, place: Place, file: LogFile, expected: int | None) -> Recognised | None:
    """Find what is known of an open file, and remember where it stands now.

    Args:
        spool: What remembers.
        place: Where it was found.
        file: Open.
        expected: Id of the only file that this may be; None where a new one is welcome.

    Returns:
        The file, new ones with id 0 as long as nothing has to be remembered of them. None where it
        is not the expected one.

    Raises:
        OSError: It cannot be read.
    """
    likely = spool.files.likely(place)
    if expected is not None and (sought := spool.files.known(expected)):
        likely.insert(0, sought)
    found = next((each for each in likely if _is_same(file, each, place)), None)
    known = found or _alike(spool, place, file) or KnownFile(0, Mark.nothing())
    if expected is not None and known.id != expected:
        return None
    replaced = tuple(
        each.id for each in likely if each.path == place.path and each.is_current
        and each.id != known.id
    )  # fmt: skip
    is_here = known.is_current and (known.path, known.node) == (place.path, place.node)
    if replaced or ((known.id or known.mark.offset) and not is_here):
        is_anew = bool(replaced) and not known.mark.offset
        file_id = spool.place(place, known, is_anew=is_anew)
        known = known.at(place)._replace(id=file_id)
    return Recognised(known, replaced)


def _is_same(file: LogFile, known: KnownFile, place: Place) -> bool:
    """Compare all bytes, but for the log that grew where it was: it would be read at every look.

    Of a file without a complete record there are none to compare: its inode has to do.
    """
    offset = known.mark.offset
    if not offset:
        return inode_of(known.node) == place.signature.inode
    has_grown = (known.path, known.node) == (place.path, place.node) and (
        place.signature.size > offset > _WHOLE_BYTES_MAX
    )
    return file.is_at(known.mark, whole=not has_grown)


def _alike(spool: Spool, place: Place, file: LogFile) -> KnownFile | None:
    """Return the file that has the same content, or a twin of it while that is in its place."""
    size = None if is_zipped(place.path) else place.signature.size
    first = file.read(0, HEAD_BYTES)
    alike = spool.files.alike(place.machine_id, first, size)
    same = file.those_at(each.mark for each in alike)
    known = next((each for each in alike if each.mark in same), None)
    if known is None or not _stands(known):
        return known
    return known._replace(id=0, path="", is_current=False, was_at=None)


def _stands(known: KnownFile) -> bool:
    if not known.is_current:
        return False
    try:
        found = signature(known.path)
    except OSError:
        return True  # who knows; then both are read on, into the same messages
    return found is not None and found.node == known.node
