"""The books of a sender: what an agent counted, what the service counted, and whether they meet.

    records read = refused by the agent + spooled
    spooled = waiting + receipted, and what is receipted was received
    received = stored + rejected + duplicates

Pure: no I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Facts = dict[str, Any]
_OF_AGENT: Final = ("read", "refused", "spooled", "receipted")
_AT_SERVICE: Final = "at the service"
_BEFORE_SPOOL: Final = "between the log and the spool"
_AFTER_SPOOL: Final = "between the spool and the service"
_WHAT_TO_DO: Final = {
    _AT_SERVICE: "It took in more or less than it stored, rejected and knew already. Compare the"
    " runs of this sender with its log, and keep the service's own log.",
    _BEFORE_SPOOL: "The agent read lines that it neither kept nor refused. Keep the log files and"
    " the spool, and look at `yieldline agent status` there.",
    _AFTER_SPOOL: "They were confirmed, and the database does not have them: was an older backup"
    " put back? `yieldline agent replay` sends them again.",
}


def balance(book: Mapping[str, Any], agent: Mapping[str, Any] | None) -> Facts:
    """Return a sender's books with their difference.

    Args:
        book: What the service counted of it: received, stored, rejected, duplicates and names.
        agent: What its agent last said of itself in `state`; None: it has none, or is not heard.

    Returns:
        `book` with read, refused, spooled, receipted and waiting (None without an agent),
        `difference` (records that one of the sums above misses; 0: the books balance) and `hop`,
        a sentence on where they go apart and what to do, or None.
    """
    received = book["received"]
    counted = {name: _count(agent, name) for name in _OF_AGENT}
    read, refused, spooled, receipted = counted.values()
    gaps = {_AT_SERVICE: received - book["stored"] - book["rejected"] - book["duplicates"]}
    if read is not None and refused is not None and spooled is not None:
        gaps[_BEFORE_SPOOL] = read - refused - spooled
    if receipted is not None:
        # A message can be received more often than it was receipted, never less.
        gaps[_AFTER_SPOOL] = max(0, receipted - received)
    waiting = None if spooled is None or receipted is None else spooled - receipted
    return {
        **book,
        **counted,
        "waiting": waiting,
        "difference": sum(abs(gap) for gap in gaps.values()),
        "hop": _sentence(gaps),
    }


def balance_all(
    books: Iterable[Mapping[str, Any]], agents: Mapping[str, Mapping[str, Any]]
) -> list[Facts]:
    """Return every sender's books with their difference; `agents` is what theirs last said."""
    return [balance(book, agents.get(book["machine_id"])) for book in books]


def add_up(items: Sequence[Mapping[str, Any]]) -> Facts:
    """Return the sums of balanced books, and in `agents` how many senders' own half is in them."""
    names = ("received", "stored", "rejected", "duplicates", "difference", *_OF_AGENT)
    sums = {name: sum(each[name] or 0 for each in items) for name in names}
    return {**sums, "agents": sum(each["read"] is not None for each in items)}


def books_trouble(items: Sequence[Mapping[str, Any]]) -> str | None:
    """Return which senders' books do not balance, and what to do; None: all do.

    Args:
        items: As `balance` returns them.
    """
    wrong = [each for each in items if each["difference"]]
    if not wrong:
        return None
    worst = max(wrong, key=lambda each: int(each["difference"]))
    more = len(wrong) - 1
    others = f" Nor do those of {more} more: see /api/v1/books." if more else ""
    return f"the books of {worst['machine_id']} do not balance: {worst['hop']}{others}"


def _sentence(gaps: Mapping[str, int]) -> str | None:
    for where, gap in gaps.items():
        if gap:
            return (
                f"{abs(gap)} {'records are' if abs(gap) > 1 else 'record is'} missing {where}."
                f" {_WHAT_TO_DO[where]}"
            )
    return None


def _count(agent: Mapping[str, Any] | None, name: str) -> int | None:
    """Return a count an agent told; None where it told none, or no number."""
    value = agent.get(name) if agent else None
    return value if type(value) is int else None
