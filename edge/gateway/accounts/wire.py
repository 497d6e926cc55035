"""Users, sessions and quotas as messages of the contract, and settings as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from viva.account.v1 import account_pb2 as pb

from edge.gateway.accounts.user import Kind, Plan, User
from edge.gateway.quotas.plans import Usage
from edge.gateway.store.sessions import Session
from services.runtime.errors import InvalidField

_KINDS = {
    Kind.GUEST: pb.ACCOUNT_KIND_GUEST,
    Kind.MEMBER: pb.ACCOUNT_KIND_MEMBER,
    Kind.ADMIN: pb.ACCOUNT_KIND_ADMIN,
}
_PLANS = {Plan.FREE: pb.PLAN_FREE, Plan.PRO: pb.PLAN_PRO}


def moment(when: datetime) -> Timestamp:
    """A moment."""
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp


def settings(kept: Mapping[str, Any]) -> pb.AccountSettings:
    """Settings of the record; what this program does not know of them is left out."""
    message = pb.AccountSettings()
    json_format.ParseDict(dict(kept), message, ignore_unknown_fields=True)
    return message


def retention(kept: Mapping[str, Any]) -> timedelta | None:
    """How long settings of the record have interviews kept; None where they say nothing of it."""
    message = settings(kept)
    return message.retention.ToTimedelta() if message.HasField("retention") else None


def settings_from(message: pb.AccountSettings) -> Mapping[str, Any]:
    """Settings as they are kept."""
    kept: Mapping[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return kept


def merged(
    kept: Mapping[str, Any], sent: pb.AccountSettings, mask: FieldMask | None
) -> Mapping[str, Any]:
    """Settings after a change.

    Args:
        kept: What they are.
        sent: The new values.
        mask: The fields that change; None for all.

    Raises:
        InvalidField: The mask names what is no setting.
    """
    new = settings_from(sent)
    if mask is None or not mask.paths:
        return new
    known: Sequence[str] = [field.name for field in pb.AccountSettings.DESCRIPTOR.fields]
    for path in mask.paths:
        if path not in known:
            raise InvalidField("update_mask", f"there is no setting {path!r}")
    rest = {name: value for name, value in kept.items() if name not in mask.paths}
    return {**rest, **{name: value for name, value in new.items() if name in mask.paths}}


def quota(usage: Usage) -> pb.Quota:
    """How much is used."""
    return pb.Quota(
        used=usage.used,
        limit=usage.limit,
        reset_time=None if usage.resets is None else moment(usage.resets),
    )


def account(user: User, usage: Usage) -> pb.Account:
    """An account."""
    return pb.Account(
        id=user.id,
        email=user.email,
        kind=_KINDS[user.kind],
        plan=_PLANS[user.plan],
        settings=settings(user.settings),
        interviews=quota(usage),
        create_time=moment(user.created),
    )


def session(kept: Session, current: str) -> pb.AccountSession:
    """A session; `current` is the id of the one that asks."""
    return pb.AccountSession(
        id=kept.id,
        create_time=moment(kept.created),
        last_use_time=moment(kept.used),
        expire_time=moment(kept.expires),
        user_agent=kept.user_agent,
        current=kept.id == current,
    )
