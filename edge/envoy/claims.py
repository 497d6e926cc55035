"""What tokens say, and how it travels: from Envoy to the gateway, and on to the servers."""

from __future__ import annotations

ISSUER = "viva"
AUDIENCE = "viva-edge"
"""The `iss` and `aud` of access tokens."""

USER_HEADER = "x-viva-user"
"""The verified `sub`; absent where nobody is signed in. Nobody outside can set it."""

SESSION_HEADER = "x-viva-session"
"""The verified `sid`."""

ADDRESS_HEADER = "x-viva-address"
"""Where the call comes from, as Envoy saw it."""

JWT_FILTER = "envoy.filters.http.jwt_authn"
EXT_AUTHZ = "envoy.filters.http.ext_authz"
CLAIMS = "claims"
"""Namespace and key of Envoy's dynamic metadata under which the verified claims are."""

AUTHORIZATION_SERVICE = "envoy.service.auth.v3.Authorization"
"""Whom Envoy asks whether a verified token still counts."""

METHOD = "method"
"""The context extension that names the method a route leads to, `/package.Service/Method`."""

BODY = "body"
"""The context extension of routes that take JSON: what the body is, `*` the whole request, else the
field that it names."""

UNKNOWN_FIELD = "field"
"""The gateway's dynamic metadata, where it refuses a body: the field that is none."""
