"""Who speaks for a service: by its key, or an administrator by his token."""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web

from fastws import policy
from fastws.errors import AuthError
from fastws.identity import Credential
from fastws.pages.answers import Refused
from fastws.pages.auth import Auth, same
from fastws.pages.deps import Deps

__all__ = ["ServiceKeys"]

log = structlog.get_logger()

SERVICE: Final = "service"


class ServiceKeys:
    """Failed keys are charged to the address like a failed login."""

    def __init__(self, deps: Deps, auth: Auth) -> None:
        self._keys = tuple(deps.auth.service_keys)
        self._authority = deps.authority
        self._auth = auth

    async def admit(self, request: web.Request) -> str:
        """``service``, or an administrator's wallet. `AuthError` or `Refused` for others."""
        try:
            return await self._identify(request)
        except (AuthError, Refused):
            self._auth.charge(request)  # guessing is limited, publishing is not
            raise

    async def _identify(self, request: web.Request) -> str:
        key = request.headers.get("X-Service-Key")
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        given = bearer if key is None else key
        if not given:
            raise AuthError("Authentication required", "no_key")
        # All are compared, so that the time does not tell which one was nearly right.
        if sum(same(given, known) for known in self._keys):
            return SERVICE
        if key is not None:
            log.warning("auth.failed", source="service_key", reason="bad_key")
            raise AuthError("Invalid service key", "bad_key")
        identity = await self._authority.identify(Credential("header", bearer))
        if not policy.is_admin(identity):
            raise Refused(403, "Forbidden")
        return identity.wallet or ""
