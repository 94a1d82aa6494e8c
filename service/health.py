"""`yieldline health`: what the web app says of itself, in words."""

import http.client
import json
import urllib.error
import urllib.request

_TIMEOUT_S = 5.0


def ask(url: str) -> tuple[bool, list[str]]:
    """Ask the web app at `url` whether everything works.

    Returns:
        Whether it does, and at least one sentence to show.
    """
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/readyz", timeout=_TIMEOUT_S):  # noqa: S310
            return True, [f"{url}: everything works."]
    except urllib.error.HTTPError as error:
        return False, _reasons(error.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return False, [f"{url} does not answer ({reason}). Is `yieldline up` running there?"]


def _reasons(body: bytes) -> list[str]:
    try:
        problem = json.loads(body)
        reasons = problem.get("reasons") or [problem.get("detail") or problem.get("title")]
        return [str(reason or "unwell") for reason in reasons]
    except (ValueError, AttributeError, TypeError):
        return ["The web app answers, but not in a way this version understands."]
