"""How often the edge may be called: by everybody together, by one address, by one user.

Two filters, because a user is known only once the token is: the first stands before the tokens and
counts addresses, the second behind them and counts users. Buckets fill steadily rather than once a
minute. Which of them a request takes from is said by its route (`rate_limits`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2

from edge.envoy.claims import USER_HEADER
from edge.envoy.extensions import FALSE, TRUE, seconds, uint32
from edge.envoy.settings import EnvoySettings

LIVE_METHODS = ("/viva.interview.v1.InterviewService/Speak",)
"""An interview's own audio and acknowledgements, where WebSockets are blocked."""

BEFORE_TOKENS, BEHIND_TOKENS = 0, 1
"""The stages of the two filters."""

# Addresses and users that are told apart at a time; the longest unseen is forgotten first.
_MOST_COUNTED = 10_000
# Of IPv6, a household has a /64.
_IPV4_BITS, _IPV6_BITS = 32, 64
# Envoy fills no bucket oftener than every 50 ms.
_FILLS_A_MINUTE = 1200
_UNLIMITED = 1_000_000_000

_ADDRESS = "masked_remote_address"
_KIND = "generic_key"
_MATCH = "header_match"
_USER = "user"
_NO_TOKEN, _TOKEN, _PAGE, _CALL, _LIVE = "no-token", "token", "page", "call", "live"


def address_limits(settings: EnvoySettings, name: str) -> Any:
    """The filter before the tokens: of everybody together, and of one address."""
    return _filter(
        f"{name}_addresses",
        BEFORE_TOKENS,
        token_bucket_pb2.TokenBucket(
            max_tokens=settings.edge_request_burst,
            tokens_per_fill=uint32(settings.edge_requests_per_second),
            fill_interval=seconds(1),
        ),
        [
            _descriptor(settings.edge_requests_per_minute, (_MATCH, _NO_TOKEN), (_ADDRESS, "")),
            _descriptor(settings.edge_shared_requests_per_minute, (_MATCH, _TOKEN), (_ADDRESS, "")),
            _descriptor(settings.edge_page_requests_per_minute, (_KIND, _PAGE), (_ADDRESS, "")),
        ],
        everybody=True,
    )


def user_limits(settings: EnvoySettings, name: str) -> Any:
    """The filter behind the tokens: of one user."""
    return _filter(
        f"{name}_users",
        BEHIND_TOKENS,
        token_bucket_pb2.TokenBucket(
            max_tokens=_UNLIMITED, tokens_per_fill=uint32(_UNLIMITED), fill_interval=seconds(1)
        ),
        [
            _descriptor(settings.edge_requests_per_minute, (_KIND, _CALL), (_USER, "")),
            _descriptor(settings.edge_live_requests_per_minute, (_KIND, _LIVE), (_USER, "")),
        ],
        everybody=False,
    )


def call_limits(path: str) -> list[Any]:
    """What a call of the method takes from."""
    address = _masked_address()
    user = _action(
        request_headers=_Action.RequestHeaders(header_name=USER_HEADER, descriptor_key=_USER)
    )
    limits = [_limit(BEFORE_TOKENS, _with_token(present=False), address)]
    if path in LIVE_METHODS:
        return [*limits, _limit(BEHIND_TOKENS, _key(_LIVE), user)]
    return [
        *limits,
        _limit(BEFORE_TOKENS, _with_token(present=True), address),
        _limit(BEHIND_TOKENS, _key(_CALL), user),
    ]


def page_limits() -> list[Any]:
    """What a file of the page takes from."""
    return [_limit(BEFORE_TOKENS, _key(_PAGE), _masked_address())]


def anonymous_limits() -> list[Any]:
    """What anything else takes from: as a call without a token."""
    return [_limit(BEFORE_TOKENS, _with_token(present=False), _masked_address())]


def retry_seconds(settings: EnvoySettings) -> int:
    """When it is worth asking again: the steadily filled bucket has room by then."""
    return max(1, math.ceil(60 / settings.edge_requests_per_minute))


_Action = route_components_pb2.RateLimit.Action


def _limit(stage: int, *actions: Any) -> Any:
    return route_components_pb2.RateLimit(stage=uint32(stage), actions=actions)


def _action(**fields: Any) -> Any:
    return _Action(**fields)


def _key(kind: str) -> Any:
    return _action(generic_key=_Action.GenericKey(descriptor_value=kind))


def _masked_address() -> Any:
    return _action(
        masked_remote_address=_Action.MaskedRemoteAddress(
            v4_prefix_mask_len=uint32(_IPV4_BITS), v6_prefix_mask_len=uint32(_IPV6_BITS)
        )
    )


def _with_token(*, present: bool) -> Any:
    return _action(
        header_value_match=_Action.HeaderValueMatch(
            descriptor_value=_TOKEN if present else _NO_TOKEN,
            expect_match=TRUE if present else FALSE,
            headers=[route_components_pb2.HeaderMatcher(name="authorization", present_match=True)],
        )
    )


def _filter(
    name: str, stage: int, bucket: Any, descriptors: Sequence[Any], *, everybody: bool
) -> Any:
    always = base_pb2.RuntimeFractionalPercent(
        default_value=percent_pb2.FractionalPercent(numerator=100)
    )
    return local_rate_limit_pb2.LocalRateLimit(
        stat_prefix=name,
        stage=stage,
        token_bucket=bucket,
        descriptors=descriptors,
        max_dynamic_descriptors=uint32(_MOST_COUNTED),
        always_consume_default_token_bucket=TRUE if everybody else FALSE,
        filter_enabled=always,
        filter_enforced=always,
        rate_limited_as_resource_exhausted=True,
    )


def _descriptor(a_minute: int, *entries: tuple[str, str]) -> Any:
    """A bucket of its own for each value of an entry whose value is empty here."""
    tokens = math.ceil(a_minute / _FILLS_A_MINUTE)
    return ratelimit_pb2.LocalRateLimitDescriptor(
        entries=[
            ratelimit_pb2.RateLimitDescriptor.Entry(key=key, value=value) for key, value in entries
        ],
        token_bucket=token_bucket_pb2.TokenBucket(
            max_tokens=a_minute,
            tokens_per_fill=uint32(tokens),
            fill_interval=seconds(60 * tokens / a_minute),
        ),
    )
