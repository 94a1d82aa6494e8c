"""Addresses: which only this machine reaches, and how they may be shown. Pure: no I/O."""

import ipaddress
import re
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches `host`; a name other than localhost does not count."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(netloc: str) -> str:
    """Return the host in `host:port`, as in an HTTP Host header; empty where it makes no sense."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def without_password(url: str) -> str:
    """Return a database's URL as it may be shown: `postgresql://ann:***@db/yieldline`.

    Rather too much is hidden than too little: up to the last @, and what a query says.
    """
    hidden = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)
