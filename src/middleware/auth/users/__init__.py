"""Who may sign in: accounts, and the sources that give them."""

from middleware.auth.users.account import Account, account_of
from middleware.auth.users.htpasswd import Htpasswd, check_file
from middleware.auth.users.sources import UsersFrom, check_users, costs_of, finder, known_hashes, naming, upgrader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.users.account import AccountLike as AccountLike
    from middleware.auth.users.account import Found as Found
    from middleware.auth.users.entries import Finding as Finding
    from middleware.auth.users.sources import Find as Find
    from middleware.auth.users.sources import KeepingSource as KeepingSource
    from middleware.auth.users.sources import SetHash as SetHash
    from middleware.auth.users.sources import Users as Users
    from middleware.auth.users.sources import UserSource as UserSource

__all__ = [
    "Account",
    "Htpasswd",
    "UsersFrom",
    "account_of",
    "check_file",
    "check_users",
    "costs_of",
    "finder",
    "known_hashes",
    "naming",
    "upgrader",
]
