"""What `yieldline up` asks about a database before anything starts.

Loaded only where there is something to ask: with it come the drivers, a third of the time until the
broker starts.
"""

from pydantic import SecretStr

from broker.errors import SettingsError
from broker.sections import DatabaseSettings
from service.store.accounts import has_users
from service.store.database import Database
from service.store.transport import ADVICE


def check_database(settings: DatabaseSettings, url: str, host: str | None) -> list[str]:
    """Return the sentences to tell about the database.

    Args:
        settings: All but its address.
        url: Its address.
        host: Where others reach the pages, so that somebody must be able to log in; None: nowhere.

    Raises:
        SettingsError: It must not be used so, or nobody could log in.
        StoreUnavailable, StoreRefused: It does not say who may log in.
    """
    chosen = Database(settings.model_copy(update={"url": SecretStr(url), "url_file": None}))
    try:
        if host is not None and not has_users(chosen):
            raise SettingsError(
                f"--host {host} lets others reach the pages, which needs a login, and database"
                f" {chosen.label} has no users yet. Add one, then start again:"
                " yieldline users add NAME --role admin. Or let everyone look with --no-login."
            )
    finally:
        chosen.dispose()
    if not chosen.is_exposed:
        return []
    return [
        f"What goes to the database can be read and changed on its way (database.no_tls). {ADVICE}."
    ]
