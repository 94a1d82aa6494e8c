"""The evidence pack of a run that is stored, for the HTTP API and the command line.

Half a second to import: its page draws with fpdf.
"""

from zoneinfo import ZoneInfo

from service.store.database import Database
from service.store.queries.evidence import evidence_of
from ui.evidence_pack import evidence_files, packed
from ui.evidence_page import evidence_page
from ui.unit_view import Clock


def evidence_zip(database: Database, run_id: int, time_zone: str) -> bytes | None:
    """Return the pack; None: no such run. The same run gives the same bytes.

    Args:
        database: Where it is stored.
        run_id: The Result's.
        time_zone: IANA name; clock times on its page are of the plant.
    """
    evidence = evidence_of(database, run_id)
    if evidence is None:
        return None
    files = evidence_files(evidence)
    return packed(evidence, files, evidence_page(evidence, files, Clock(ZoneInfo(time_zone))))
