"""Who may sign in: accounts, and the sources that give them."""

from middleware.auth.users.account import Account, account_of
from middleware.auth.users.htpasswd import Htpasswd
from middleware.auth.users.sources import check_users, finder, known_hashes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.auth.users.account import AccountLike as AccountLike
    from middleware.auth.users.account import Found as Found
    from middleware.auth.users.sources import Find as Find
    from middleware.auth.users.sources import Users as Users
    from middleware.auth.users.sources import UserSource as UserSource

__all__ = ["Account", "Htpasswd", "account_of", "check_users", "finder", "known_hashes"]
