"""`request.user` is who AuthMiddleware has identified: what of `middleware.integrations.django` needs no sessions.

    # settings.py
    MIDDLEWARE = [..., "middleware.integrations.django.UserMiddleware", ...]  # for Django's AuthenticationMiddleware
    # wsgi.py
    application = AuthMiddleware(get_wsgi_application(), Basic(users))

The user is looked up when a page asks for it. Nobody is logged in by that: no session, no cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.functional import SimpleLazyObject

from middleware.auth import get_identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpResponse

    from middleware.auth import Identity


class UserMiddleware(AuthenticationMiddleware):  # type: ignore[misc]
    """Stands in MIDDLEWARE where Django's AuthenticationMiddleware did.

    `request.user` is the user of that name in the database, and AnonymousUser where nobody is identified, or whoever is
    has no active account there. It is in its groups and, for this request, in those that are called as its roles are.
    A subclass may set `create_unknown_user = True`, so that a name that is not in the database gets a user there, and
    have a `find` or a `groups_of` of its own.

    The first use of `request.user` raises LayerMissing where the request passed no AuthMiddleware.
    """

    create_unknown_user = False

    def find(self, identity: Identity) -> Any:
        """The user of this name in the database, None where there is none."""
        model: Any = get_user_model()
        if self.create_unknown_user:
            user, _ = model._default_manager.get_or_create(**{model.USERNAME_FIELD: identity.user})
        else:
            try:
                user = model._default_manager.get_by_natural_key(identity.user)
            except model.DoesNotExist:
                return None
        return user if user.get_username() == identity.user else None  # a database may take Ann or änn for ann

    def groups_of(self, identity: Identity) -> Iterable[str]:
        """The names of further groups that the user is in, for this request: those that are called as a role is."""
        return identity.roles

    def process_request(self, request: Any) -> None:
        """Set `request.user` and `request.auser`."""
        found: list[Any] = []

        def user() -> Any:
            if not found:
                found.append(self._user_of(get_identity(request.META)))
            return found[0]

        request.user = SimpleLazyObject(user)
        request.auser = sync_to_async(user)
        request._users_found = found

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        """Tell Django's own caches about the user. The layer tells all others."""
        for user in getattr(request, "_users_found", ()):
            if user.is_anonymous:
                patch_vary_headers(response, ("Authorization", "Cookie"))
            else:
                patch_cache_control(response, private=True)
        return response

    def _user_of(self, identity: Identity | None) -> Any:
        user = self.find(identity) if identity is not None else None
        if identity is None or user is None or not user.is_active:
            return AnonymousUser()
        _join(user, [*self.groups_of(identity)])
        return user


def _join(user: Any, names: list[str]) -> None:
    """Let the user be in these groups as well, where there are groups of that name; nothing is written."""
    if not names or not hasattr(user, "groups"):
        return
    from django.contrib.auth.models import Group
    from django.db.models import Q

    joined = Group.objects.filter(Q(pk__in=user.groups.values("pk")) | Q(name__in=names))
    user._prefetched_objects_cache = {**getattr(user, "_prefetched_objects_cache", {}), "groups": joined}
