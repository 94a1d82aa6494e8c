"""`yieldline health`: what the web app says of itself, in words."""

import http.client
import json
import urllib.error
import urllib.request

_TIMEOUT_S = 10.0  # a database that hangs is said by the web app after five


def ask(url: str) -> tuple[bool, list[str]]:
    """Ask the web app at `url` whether everything works.

    Args:
        url: Such as http://127.0.0.1:8080; without a scheme it is http.

    Returns:
        Whether it does, and at least one sentence to show.
    """
    if "://" not in url:
        url = f"http://{url}"
    address = f"{url.rstrip('/')}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as said:  # noqa: S310
            warnings = _reasons(said.read(), is_well=True)
    except urllib.error.HTTPError as error:
        return False, _reasons(error.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return False, [f"{url} does not answer ({reason}). Is `yieldline up` running there?"]
    return not warnings, warnings or [f"{url}: everything works."]


def _reasons(body: bytes, *, is_well: bool = False) -> list[str]:
    """Return what is wrong, in sentences; what works although something is wrong comes last."""
    try:
        said = json.loads(body)
        reasons = [] if is_well else said.get("reasons") or [said.get("detail") or said["title"]]
        return [str(reason) for reason in (*reasons, *(said.get("warnings") or ()))]
    except (ValueError, AttributeError, TypeError, KeyError):
        return ["The web app answers, but not in a way this version understands."]
