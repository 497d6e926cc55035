"""`viva account …`: accounts, as who runs the database may see and change them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.calls import AsJson, out, print_json, refuse, run, running_here, tell
from services.runtime.settings import load

if TYPE_CHECKING:
    from edge.gateway.accounts.user import User
    from services.runtime.postgres.database import Database

account = typer.Typer(
    name="account",
    help="See and change accounts. It asks the database itself; the gateway need not run.",
    no_args_is_help=True,
)
Email = Annotated[str, typer.Argument(help="The account's e-mail address.")]
ResultT = TypeVar("ResultT")
_PAGE = 500


def _with(work: Callable[[Database], Awaitable[ResultT]]) -> ResultT:
    """Does something with the database of VIVA_GATEWAY_DATABASE_URL, or of a running `viva up`."""
    # What speaks to a database is installed with the gateway.
    from edge.gateway.settings import GatewaySettings
    from services.runtime.postgres.database import open_database
    from services.runtime.postgres.failures import StoreFailed

    settings = load(GatewaySettings)

    async def doing() -> ResultT:
        opened = open_database(settings.server, settings.store_seconds, name="viva account")
        async with opened as database:
            return await work(database)

    try:
        return run(doing())
    except StoreFailed as error:
        tell(f"{settings.server.shown}: {error.message}")
        raise typer.Exit(3) from None


def _done(message: str) -> None:
    out.print(escape(message), soft_wrap=True)


async def _change(
    database: Database,
    email: str,
    action: str,
    change: Callable[[object, User], Awaitable[None]],
    **details: str,
) -> User | None:
    """Changes the account with this address and writes it into the audit log."""
    from edge.gateway.store import audit, users
    from edge.gateway.store.audit import Done
    from services.runtime.postgres.database import EVERYBODY
    from services.runtime.wall_clock import now

    async with database.transaction("change", EVERYBODY) as connection:
        user = await users.find_by_email(connection, email)
        if user is not None:
            await change(connection, user)
            done = Done(now(), user.id, action, "operator", None, details)
            await audit.add(connection, done)
    return user


def _require(user: User | None, email: str) -> User:
    if user is None:
        refuse(f"there is no account with the address {email}")
    return user


@account.command("list")
def show(as_json: AsJson = False) -> None:
    """List the accounts. Guests are not listed."""
    from edge.gateway.store import users
    from services.runtime.postgres.database import EVERYBODY

    async def work(database: Database) -> list[User]:
        found: list[User] = []
        while True:
            async with database.transaction("work", EVERYBODY) as connection:
                after = found[-1].id if found else None
                some = await users.page(connection, _PAGE, after)
            found += some
            if len(some) < _PAGE:
                return found

    found = _with(work)
    if as_json:
        rows = [
            {
                "id": user.id,
                "email": user.email,
                "kind": user.kind.value,
                "plan": user.plan.value,
                "created": user.created.isoformat(),
            }
            for user in found
        ]
        print_json({"accounts": rows})
        return
    table = Table("e-mail", "kind", "plan", "created", "id", box=None, pad_edge=False)
    for user in found:
        created = f"{user.created:%Y-%m-%d}"
        table.add_row(escape(user.email or ""), user.kind, user.plan, created, user.id)
    out.print(table)


@account.command("set-plan")
def set_plan(email: Email, plan: Annotated[str, typer.Argument(help="free or pro.")]) -> None:
    """Give an account another plan; it holds from the next interview on."""
    from edge.gateway.accounts.user import Plan
    from edge.gateway.store import users

    if plan not in set(Plan):
        refuse(f"there is no plan {plan}; {' and '.join(Plan)} are")

    async def change(connection: object, user: User) -> None:
        await users.set_plan(connection, user.id, Plan(plan))

    _require(_with(lambda db: _change(db, email, "plan_changed", change, plan=plan)), email)
    _done(f"{email}: {plan}")


@account.command("set-kind")
def set_kind(email: Email, kind: Annotated[str, typer.Argument(help="member or admin.")]) -> None:
    """Make a member an administrator, or an administrator a member."""
    from edge.gateway.accounts.user import Kind
    from edge.gateway.store import users

    if kind not in {Kind.MEMBER, Kind.ADMIN}:
        refuse(f"{kind} can't be made; member and admin can")

    async def change(connection: object, user: User) -> None:
        await users.set_kind(connection, user.id, Kind(kind))

    _require(_with(lambda db: _change(db, email, "kind_changed", change, kind=kind)), email)
    _done(f"{email}: {kind}, in tokens that are issued from now on")


@account.command()
def revoke(email: Email) -> None:
    """Log an account out everywhere; within half a minute every gateway refuses its tokens."""
    from edge.gateway.store import sessions
    from services.runtime.wall_clock import now

    ended: list[str] = []

    async def change(connection: object, user: User) -> None:
        ended.extend(await sessions.revoke_all(connection, user.id, now()))

    _require(_with(lambda db: _change(db, email, "sessions_revoked", change)), email)
    _done(f"{email}: {len(ended)} session(s) ended")


@account.command("reset-link")
def reset_link(email: Email) -> None:
    """Print a link that sets an account's password, once, within 30 minutes."""
    from edge.gateway.accounts.resetting import LIFE, link_to
    from edge.gateway.settings import GatewaySettings
    from edge.gateway.store import resets
    from edge.gateway.tokens.secrets import digest, new_token
    from services.runtime.wall_clock import now

    token, moment = new_token(), now()

    async def change(connection: object, user: User) -> None:
        await resets.add(connection, digest(token), user.id, moment, moment + LIFE)

    _require(_with(lambda db: _change(db, email, "password_reset_requested", change)), email)
    settings, here = load(GatewaySettings), running_here()
    address = settings.public_url
    if "public_url" not in settings.model_fields_set and here is not None:
        address = here.page or address
    out.print(link_to(address, token), soft_wrap=True)
