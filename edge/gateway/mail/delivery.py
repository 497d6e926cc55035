"""How messages go out: through a mail server, or into a folder of a machine of one's own."""

from __future__ import annotations

import asyncio
import logging
import os
import smtplib
import ssl
import time
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from edge.gateway.settings import GatewaySettings
from services.runtime.errors import Unavailable
from services.runtime.ids import new_id
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

_SECONDS = 20.0


class Outbox(Protocol):
    """Takes messages."""

    async def send(self, message: EmailMessage) -> None:
        """Sends a message.

        Raises:
            Unavailable: It could not be sent.
        """
        ...

    def forget(self, older_than: float) -> None:
        """Removes messages that were written more than so many seconds ago and lie here still."""
        ...


class MailFolder:
    """Writes messages into files, and says where."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        """Writes a message."""
        try:
            path = await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise Unavailable("mail: the message cannot be written") from error
        log(_logger, logging.INFO, "message written", path=str(path))

    def forget(self, older_than: float) -> None:
        """Removes files: a link in one that is older is good no more, an address in it still is."""
        for path in self._folder.glob("*.eml"):
            # What is gone already, or cannot be removed, keeps no other.
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > older_than:
                    path.unlink()

    def _write(self, message: EmailMessage) -> Path:
        self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        path = self._folder / f"{new_id()}.eml"
        # Whoever reads it can set the password.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message.as_bytes())
        return path


class MailServer:
    """Sends messages by SMTP."""

    def __init__(self, settings: GatewaySettings, host: str) -> None:
        self._settings = settings
        self._host = host

    async def send(self, message: EmailMessage) -> None:
        """Sends a message."""
        try:
            await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException) as error:
            log(_logger, logging.WARNING, "message not sent", cause=error)
            raise Unavailable("mail: the mail server does not take the message") from error

    def forget(self, older_than: float) -> None:
        """None lies here."""

    def _send(self, message: EmailMessage) -> None:
        settings, tls = self._settings, ssl.create_default_context()
        server: smtplib.SMTP
        if settings.smtp_security == "tls":
            server = smtplib.SMTP_SSL(self._host, settings.smtp_port, timeout=_SECONDS, context=tls)
        else:
            server = smtplib.SMTP(self._host, settings.smtp_port, timeout=_SECONDS)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=tls)
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(message)


def outbox(settings: GatewaySettings) -> Outbox:
    """Where the settings want messages to go."""
    if settings.smtp_host is None:
        return MailFolder(settings.mail_folder)
    return MailServer(settings, settings.smtp_host)
