"""How often the edge may be called: by everybody together, by one address, by one user.

Two filters, because a user is known only once the token is: the first stands before the tokens and
counts addresses, the second behind them and counts users, and everybody together: what a bad token
refuses has taken nothing from others. Buckets fill steadily rather than once a minute. Which of
them a request takes from is said by its route's metadata.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2
from google.protobuf import struct_pb2

from edge.envoy.claims import USER_HEADER
from edge.envoy.extensions import FALSE, TRUE, seconds, uint32
from edge.envoy.settings import EnvoySettings

LIVE_METHODS = ("/viva.interview.v1.InterviewService/Speak",)
"""An interview's own audio and acknowledgements, where WebSockets are blocked."""

NAMESPACE, KIND = "viva.limits", "kind"
"""Where a route's metadata says what its requests are counted as: a Kind, or else as a call."""


class Kind(enum.Enum):
    """What a request is counted as."""

    CALL = "call"
    LIVE = "live"
    PAGE = "page"


# Addresses and users that are told apart at a time; the longest unseen is forgotten first.
_MOST_COUNTED = 10_000
# Of IPv6, a household has a /64.
_IPV4_BITS, _IPV6_BITS = 32, 64
# Envoy fills no bucket oftener than every 50 ms.
_FILLS_A_MINUTE = 1200
_UNLIMITED = 1_000_000_000

_ADDRESS = "masked_remote_address"
_MATCH = "header_match"
_USER = "user"
_NO_TOKEN, _TOKEN = "no-token", "token"
# What the verification of tokens looks at, and refuses unless it is good (RFC 7515, 3.1). Anything
# else passes it as if nothing had been said.
_TOKEN_SHAPE = r"Bearer [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"  # noqa: S105


def address_limits(settings: EnvoySettings, name: str) -> Any:
    """The filter before the tokens: of one address; without accounts, of everybody too."""
    alone, many = settings.edge_requests_per_minute, settings.edge_shared_requests_per_minute
    live = settings.edge_shared_live_requests_per_minute
    page = settings.edge_page_requests_per_minute
    kind, address = _kind(), _masked_address()
    return _filter(
        f"{name}_addresses",
        [
            (kind, address),
            (kind, _with_token(present=False), address),
            (kind, _with_token(present=True), address),
        ],
        [
            _descriptor(page, (KIND, Kind.PAGE.value), (_ADDRESS, "")),
            _descriptor(alone, (KIND, Kind.CALL.value), (_MATCH, _NO_TOKEN), (_ADDRESS, "")),
            _descriptor(alone, (KIND, Kind.LIVE.value), (_MATCH, _NO_TOKEN), (_ADDRESS, "")),
            _descriptor(many, (KIND, Kind.CALL.value), (_MATCH, _TOKEN), (_ADDRESS, "")),
            _descriptor(live, (KIND, Kind.LIVE.value), (_MATCH, _TOKEN), (_ADDRESS, "")),
        ],
        everybody=None if settings.has_accounts else _everybody(settings),
    )


def user_limits(settings: EnvoySettings, name: str) -> Any:
    """The filter behind the tokens: of one user, and of everybody together."""
    user = _action(
        request_headers=_Action.RequestHeaders(header_name=USER_HEADER, descriptor_key=_USER)
    )
    calls, live = settings.edge_requests_per_minute, settings.edge_live_requests_per_minute
    return _filter(
        f"{name}_users",
        [(_kind(), user)],
        [
            _descriptor(calls, (KIND, Kind.CALL.value), (_USER, "")),
            _descriptor(live, (KIND, Kind.LIVE.value), (_USER, "")),
        ],
        everybody=_everybody(settings),
    )


def counted_as(kind: Kind) -> Any:
    """The metadata of a route whose requests are counted so."""
    said = struct_pb2.Struct()
    said.update({KIND: kind.value})
    return base_pb2.Metadata(filter_metadata={NAMESPACE: said})


def kind_of(path: str) -> Kind:
    """What calls of a method are counted as."""
    return Kind.LIVE if path in LIVE_METHODS else Kind.CALL


def retry_seconds(settings: EnvoySettings) -> int:
    """When it is worth asking again: the steadily filled bucket has room by then."""
    return max(1, math.ceil(60 / settings.edge_requests_per_minute))


_Action = route_components_pb2.RateLimit.Action


def _action(**fields: Any) -> Any:
    return _Action(**fields)


def _kind() -> Any:
    return _action(
        metadata=_Action.MetaData(
            descriptor_key=KIND,
            metadata_key=metadata_pb2.MetadataKey(
                key=NAMESPACE, path=[metadata_pb2.MetadataKey.PathSegment(key=KIND)]
            ),
            default_value=Kind.CALL.value,
            source=_Action.MetaData.ROUTE_ENTRY,
        )
    )


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
            headers=[
                route_components_pb2.HeaderMatcher(
                    name="authorization",
                    string_match=string_pb2.StringMatcher(
                        safe_regex=regex_pb2.RegexMatcher(regex=_TOKEN_SHAPE)
                    ),
                )
            ],
        )
    )


def _everybody(settings: EnvoySettings) -> Any:
    return token_bucket_pb2.TokenBucket(
        max_tokens=settings.edge_request_burst,
        tokens_per_fill=uint32(settings.edge_requests_per_second),
        fill_interval=seconds(1),
    )


def _filter(
    name: str,
    limits: Sequence[Sequence[Any]],
    descriptors: Sequence[Any],
    *,
    everybody: Any | None,
) -> Any:
    """A filter; `everybody` is the bucket that all requests take from that have room in theirs."""
    unlimited = token_bucket_pb2.TokenBucket(
        max_tokens=_UNLIMITED, tokens_per_fill=uint32(_UNLIMITED), fill_interval=seconds(1)
    )
    always = base_pb2.RuntimeFractionalPercent(
        default_value=percent_pb2.FractionalPercent(numerator=100)
    )
    return local_rate_limit_pb2.LocalRateLimit(
        stat_prefix=name,
        token_bucket=everybody or unlimited,
        rate_limits=[route_components_pb2.RateLimit(actions=actions) for actions in limits],
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
