"""Where the model of a server is, if in a program elsewhere; and whether that answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from edge.envoy.settings import Endpoint
from services.asr.settings import AsrSettings
from services.embed.settings import EmbedSettings
from services.llm.settings import LlmSettings
from services.runtime.settings import load, without_user

_SECONDS = 2.0
_KEY = "VIVA_LLM_OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a server's model runs, in another program that may come later than the server.

    Attributes:
        address: A URL, or host and port of a Triton.
        variable: The environment variable that says so.
        key: What an OpenAI-compatible server is shown.
    """

    address: str
    variable: str
    key: str | None = None

    @property
    def is_triton(self) -> bool:
        """Whether it is a Triton."""
        return "://" not in self.address

    @property
    def shown(self) -> str:
        """What it is called, without a password."""
        return f"Triton at {self.address}" if self.is_triton else without_user(self.address)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an upstream.

    Attributes:
        what: In a line, with the variable that says where it is.
        remedy: What to do.
        away: Whether nobody answers there.
    """

    what: str
    remedy: str
    away: bool


def upstream(server: str) -> Upstream | None:
    """Where the settings say that a server's model is; None where it is in the server itself.

    Raises:
        SystemExit: A setting of the server's makes no sense; it is named on standard error.
    """
    match server:
        case "llm":
            llm = load(LlmSettings)
            if llm.choice().engine == "openai":
                key = llm.openai_api_key
                return Upstream(
                    llm.openai_base_url,
                    "VIVA_LLM_OPENAI_BASE_URL",
                    key.get_secret_value() if key else None,
                )
        case "asr":
            asr = load(AsrSettings)
            if asr.engine == "triton":
                return Upstream(asr.triton_address, "VIVA_ASR_TRITON_ADDRESS")
        case "embed":
            embed = load(EmbedSettings)
            if embed.choice().engine == "triton":
                return Upstream(embed.triton_address, "VIVA_EMBED_TRITON_ADDRESS")
    return None


async def fault(asked: Upstream) -> Fault | None:
    """What keeps an upstream from being used, as far as a look tells; None if nothing."""
    place = f"({asked.variable})"
    try:
        status = await (_connects(asked.address) if asked.is_triton else _models(asked))
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL):
        remedy = f"start it, or set {asked.variable} to where it is"
        return Fault(f"{asked.shown} cannot be reached {place}", remedy, away=True)
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return Fault(f"{asked.shown} refuses the key {place}", f"set {_KEY}", away=False)
    if httpx.codes.is_server_error(status):
        remedy = "wait until it has loaded its model, or see its log"
        return Fault(f"{asked.shown} answers with {status} {place}", remedy, away=False)
    return None


async def _connects(address: str) -> int:
    endpoint = Endpoint.parse(address)
    async with asyncio.timeout(_SECONDS):
        _, writer = await asyncio.open_connection(endpoint.host.strip("[]"), endpoint.port)
    writer.close()
    return httpx.codes.OK


async def _models(asked: Upstream) -> int:
    """The status of its list of models, which some have not."""
    headers = {"authorization": f"Bearer {asked.key}"} if asked.key else {}
    async with httpx.AsyncClient(headers=headers, timeout=_SECONDS) as client:
        return (await client.get(f"{asked.address.removesuffix('/')}/models")).status_code
