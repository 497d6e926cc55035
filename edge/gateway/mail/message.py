"""What users are written."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final


@dataclass(frozen=True, slots=True)
class _Words:
    subject: str
    text: str


_RESET: Final = {
    "en": _Words(
        "Set a new password for Viva",
        """Hello,

somebody, hopefully you, asked for a new password for your account at Viva. Set one here within
{minutes} minutes:

{link}

If it was not you, there is nothing to do: your password stays as it is.
""",
    ),
    "zh": _Words(
        "重设你的 Viva 密码",
        """你好：

有人（希望是你本人）请求重设你的 Viva 账户密码。请在 {minutes} 分钟内打开下面的链接：

{link}

如果不是你本人操作，请忽略这封邮件，你的密码不会改变。
""",
    ),
}


def reset_message(sender: str, to: str, link: str, minutes: int, language: str) -> EmailMessage:
    """The message that lets somebody set a new password.

    Args:
        sender: Whom it comes from.
        to: The account's e-mail address.
        link: Where the password is set.
        minutes: How long the link is good for.
        language: A BCP 47 tag; English where it is not written in it.
    """
    words = _RESET.get(language.partition("-")[0].lower(), _RESET["en"])
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = words.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="viva.invalid")
    message["Auto-Submitted"] = "auto-generated"
    text = words.text.format(link=link, minutes=minutes)
    # As it is: whoever opens the file has to find the link whole.
    message.set_content(text, cte="7bit" if text.isascii() else "8bit")
    return message
