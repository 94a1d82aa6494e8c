"""Whether anybody between us and PostgreSQL could read or change what is said."""

from itertools import zip_longest
from typing import Final

import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from broker.addresses import is_loopback

log = structlog.get_logger()

_CHECKED: Final = ("verify-full", "verify-ca")
"""The modes in which the server's certificate is checked; `require` believes any."""
ADVICE: Final = "Add ?sslmode=verify-full&sslrootcert=ca.crt to database.url"


def is_private(conninfo: str) -> bool:
    """Tell whether the way is within this machine, or TLS to a server that shows who it is.

    Args:
        conninfo: The address as the driver takes it. What it leaves out say the driver's own
            variables, such as PGHOST and PGSSLMODE.

    Raises:
        psycopg.ProgrammingError: It cannot be read.
    """
    words = {each.keyword.decode(): (each.val or b"").decode() for each in Conninfo.get_defaults()}
    words |= {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    if words.get("sslmode") in _CHECKED:
        return True
    if words.get("service"):  # a file says where that is
        return False
    addresses, names = words.get("hostaddr", "").split(","), words.get("host", "").split(",")
    hosts = [one or other for one, other in zip_longest(addresses, names, fillvalue="")]
    return all(_is_here(host) for host in hosts)


def refusal(label: str) -> str:
    """Return the sentence on a database that must not be talked to; without its password."""
    return (
        f"database {label} is on another host, and its URL does not say that the server's"
        f" certificate is checked: whoever is between could read and change results. {ADVICE},"
        " or say that this network is safe: YIELDLINE_DATABASE__NO_TLS=true."
    )


def warn_exposed(label: str) -> None:
    """Log that somebody has switched this off; `label` without the password."""
    log.warning(
        "database_without_tls",
        database=label,
        meaning="whoever is between can read and change results",
        remedy=f"{ADVICE}, and take database.no_tls away",
    )


def _is_here(host: str) -> bool:
    is_socket = host.startswith(("/", "@")) or not host
    return is_socket or is_loopback(host)
