"""Setting a new password by mail."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from viva.account.v1 import account_pb2
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts.passwords import Passwords
from edge.gateway.mail.delivery import MailFolder, outbox
from edge.gateway.mail.message import reset_message
from edge.gateway.settings import GatewaySettings
from tests.edge.gateway.stage import EMAIL, NEW_PASSWORD, PASSWORD, PATIENCE, Stage, bearer, refused

STRANGER = "203.0.113.66"


async def ask(
    on: Stage, email: str = EMAIL, address: str = "192.0.2.1", language: str | None = None
) -> None:
    request = pb.RequestPasswordResetRequest(email=email, language=language)
    metadata = (("x-viva-address", address),)
    await on.accounts.RequestPasswordReset(request, timeout=PATIENCE, metadata=metadata)
    await on.gateway.resets.sent()


async def reset(on: Stage, token: str, password: str = NEW_PASSWORD) -> None:
    request = pb.ResetPasswordRequest(token=token, new_password=password)
    await on.accounts.ResetPassword(request, timeout=PATIENCE)


async def test_a_token_sets_a_password_once_and_ends_all_sessions(on: Stage) -> None:
    here = await on.member()
    await ask(on)
    assert on.mail.sent[0]["To"] == EMAIL
    token = on.mail.token
    await reset(on, token)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"):
        await on.account(here.access_token)
    await on.log_in(password=NEW_PASSWORD)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as told:
        await reset(on, token, "another long one")
    assert told["BadRequest"].field_violations[0].field == "token"


async def test_of_two_who_use_it_at_once_one_succeeds(on: Stage) -> None:
    await on.member()
    await ask(on)
    passwords = ["the first of both", "the second of both"]
    results = await asyncio.gather(
        *(reset(on, on.mail.token, password) for password in passwords), return_exceptions=True
    )
    assert sorted(result is None for result in results) == [False, True]


async def test_it_is_good_for_half_an_hour(on: Stage) -> None:
    await on.member()
    await ask(on)
    on.clock.advance(minutes=30)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reset(on, on.mail.token)


async def test_whoever_asks_again_leaves_what_was_sent_good_until_one_is_used(on: Stage) -> None:
    await on.member()
    await ask(on)
    first = on.mail.token
    for number in range(30):
        await ask(on, address=f"203.0.113.{number}")
        on.clock.advance(seconds=30)
    newest = on.mail.token
    assert newest != first
    await reset(on, first)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reset(on, newest, "another long one")


async def test_an_address_without_an_account_is_answered_alike(on: Stage) -> None:
    await ask(on, "nobody@example.org")
    assert not on.mail.sent


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
async def test_nobodys_mailbox_is_filled_and_the_answer_stays_the_same(
    on: Stage, email: str
) -> None:
    await on.member()
    for number in range(10):
        await ask(on, email, address=f"192.0.2.{number}")
    assert len(on.mail.sent) == (3 if email == EMAIL else 0)


async def test_a_stranger_who_asks_all_day_keeps_nobody_from_a_new_password(on: Stage) -> None:
    await on.member()
    for minute in range(4 * 60):
        # Whether from one address, which is refused in the end, or from many.
        with suppress(grpc.aio.AioRpcError):
            await ask(on, address=STRANGER if minute % 2 else f"203.0.113.{minute}")
        if minute % 37 == 36:
            # Though nothing may be sent for it now: what lies in the mailbox is good for long.
            await ask(on, address="198.51.100.7")
            on.clock.advance(minutes=5)
            await reset(on, on.mail.token, f"the new one of minute {minute}")
        on.clock.advance(minutes=1)
    assert len(on.mail.sent) < 40


async def test_an_address_asks_only_so_often(on: Stage) -> None:
    for number in range(20):
        await ask(on, f"user{number}@example.org", address=STRANGER)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
        await ask(on, "one.more@example.org", address=STRANGER)
    await ask(on, "one.more@example.org", address="198.51.100.7")


async def test_a_bad_password_does_not_use_the_token_up(on: Stage) -> None:
    await on.member()
    await ask(on)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reset(on, on.mail.token, "1234567890")
    await reset(on, on.mail.token)


async def test_nothing_is_hashed_for_who_has_no_token(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    async def hash_(self: Passwords, password: str) -> str:
        hashed.append(password)
        return "none"

    monkeypatch.setattr(Passwords, "hash", hash_)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reset(on, "nonsense")
    assert not hashed


async def test_an_address_tries_only_so_many_tokens(on: Stage) -> None:
    await on.member()
    await ask(on)
    for _ in range(20):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
            await reset(on, "nonsense")
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS"):
        await reset(on, "nonsense")
    on.clock.advance(hours=2)
    await ask(on)
    await reset(on, on.mail.token)


async def test_a_changed_password_makes_links_worthless(on: Stage) -> None:
    here = await on.member()
    await ask(on)
    request = pb.ChangePasswordRequest(current_password=PASSWORD, new_password=NEW_PASSWORD)
    await on.accounts.ChangePassword(request, timeout=PATIENCE, metadata=bearer(here.access_token))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        await reset(on, on.mail.token, "another long one")
    await on.log_in(password=NEW_PASSWORD)


async def test_no_token_is_kept_as_it_is(on: Stage) -> None:
    made = await on.member()
    await ask(on)
    rows = await on.rows(
        "SELECT t::text AS whole FROM account.reset_token t"
        " UNION ALL SELECT t::text FROM account.refresh_token t"
    )
    assert len(rows) == 2
    for row in rows:
        assert on.mail.token not in row["whole"]
        assert made.refresh_token not in row["whole"]


async def test_the_message_is_in_the_users_language(on: Stage) -> None:
    here = await on.member()
    request = pb.UpdateSettingsRequest(
        settings=account_pb2.AccountSettings(interface_language="zh-CN")
    )
    await on.accounts.UpdateSettings(request, timeout=PATIENCE, metadata=bearer(here.access_token))
    await ask(on)
    assert "重设" in on.mail.sent[-1]["Subject"]
    await ask(on, language="en")
    assert "password" in on.mail.sent[-1]["Subject"]


async def test_on_one_machine_messages_are_files_for_their_owner_alone(tmp_path: Path) -> None:
    message = reset_message("Viva <v@example.org>", EMAIL, "http://x/reset#token=t", 30, "fr")
    folder = tmp_path / "mail"
    await MailFolder(folder).send(message)
    [file] = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert b"http://x/reset#token=t" in file.read_bytes()


async def test_of_old_messages_on_one_machine_nothing_stays(tmp_path: Path) -> None:
    folder, life = tmp_path / "mail", 1800.0
    mail = MailFolder(folder)
    mail.forget(life)  # There is no folder yet.
    message = reset_message("Viva <v@example.org>", EMAIL, "http://x/reset#token=t", 30, "fr")
    await mail.send(message)
    [old] = folder.iterdir()
    written = time.time() - life - 1
    os.utime(old, (written, written))
    await mail.send(message)
    (folder / "notes.txt").touch()
    os.utime(folder / "notes.txt", (written, written))
    mail.forget(life)
    left = list(folder.iterdir())
    assert old not in left
    assert sorted(path.suffix for path in left) == [".eml", ".txt"]


async def test_messages_are_forgotten_when_their_links_are_good_no_more(on: Stage) -> None:
    await on.sweep()
    assert on.mail.forgets_after == 1800.0


async def test_elsewhere_they_go_to_a_mail_server(tmp_path: Path) -> None:
    said: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        body = False
        while line := await reader.readline():
            said.append(line)
            if body:
                body = line != b".\r\n"
                if not body:
                    writer.write(b"250 taken\r\n")
            elif line.upper().startswith(b"DATA"):
                body = True
                writer.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 fine\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = GatewaySettings(
            data_dir=tmp_path, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none"
        )
        message = reset_message(settings.mail_from, EMAIL, "http://x/reset#token=t", 30, "zh")
        await outbox(settings).send(message)
    assert f"rcpt TO:<{EMAIL}>\r\n".encode() in said
