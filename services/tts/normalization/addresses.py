"""Web and mail addresses, hosts, paths and file names."""

from __future__ import annotations

import re

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.script import HAN
from services.tts.normalization.words import identifier_reading

_SIGNS = {
    ".": "dot", "/": "slash", ":": "colon", "@": "at", "-": "dash", "_": "underscore", "~": "tilde",
    "*": "star", "?": "question mark", "=": "equals", "&": "and", "#": "hash", "+": "plus",
    "%": "percent", "\\": "backslash",
}  # fmt: skip
# Short names that are letters, though they could be words.
_SPELLED = frozenset(
    [
        "etc",
        "md",
        "js",
        "ts",
        "rs",
        "rb",
        "cc",
        "hh",
        "io",
        "ai",
        "uk",
        "us",
        "de",
        "fr",
        "cn",
        "tv",
        "ip",
        "jsx",
        "tsx",
        "csv",
        "pdf",
        "cfg",
        "ini",
        "exe",
    ]
)
_PART = re.compile(r"[A-Za-z]+|\d+|[^\w\s]|_")


def _reading(start: int, text: str, *, chinese: bool = False) -> list[Piece]:
    found = []
    for part in _PART.finditer(text):
        said = _part(part.group(), chinese=chinese)
        if said:
            found.append(Piece(start + part.start(), start + part.end(), said))
    return found


def _part(text: str, *, chinese: bool) -> str:
    if text.isdigit():
        if chinese:
            return numbers.han_digits(text)
        return numbers.paired(text) if len(text) <= 5 else numbers.digits(text)
    if text[0].isalpha():
        return spell(text) if text.lower() in _SPELLED else identifier_reading(text)
    return _SIGNS.get(text, "")


def _link(match: re.Match[str], context: Context) -> Reading:
    text = match["address"].rstrip(".,;:!?)'\"*`")
    skipped = match.start("address")
    # What is dropped behind the address is read by the rules for signs.
    end = skipped + len(text)
    lead = [Piece(match.start(), skipped, "")] if skipped > match.start() else []
    return lead + _reading(skipped, context.text[skipped:end].rstrip("/"))


def _plain(match: re.Match[str], context: Context) -> Reading:
    return _reading(match.start(), match.group())


def _host(match: re.Match[str], context: Context) -> Reading:
    """192.168.1.1:8080, 10.0.0.0/8."""
    start = match.start()
    if not context.chinese(start):
        return _reading(start, match.group())
    found = []
    for part in re.finditer(r"\d+|[.:/]", match.group()):
        text = part.group()
        said = (
            numbers.han_digits(text) if text.isdigit() else {".": "点", ":": "冒号"}.get(text, "杠")
        )
        found.append(Piece(start + part.start(), start + part.end(), said))
    return found


def _option(match: re.Match[str], context: Context) -> Reading:
    """--verbose, -v."""
    dashes = " ".join("dash" for _ in match["dashes"])
    start = match.start("name")
    name = [
        Piece(start + part.start(), start + part.end(), identifier_reading(part.group()))
        for part in re.finditer(r"[A-Za-z0-9]+", match["name"])
    ]
    return [Piece(*match.span("dashes"), dashes), *name]


_DOMAINS = "com|org|net|io|dev|ai|edu|gov|app|cn|uk|de|fr|co"
_FILES = (
    "py|js|ts|jsx|tsx|go|rs|rb|java|kt|cpp|cc|c|h|cs|php|sh|sql|html|css|json|yaml|yml|toml|ini|cfg"
    "|xml|csv|md|txt|log|pdf|docx|png|jpg|svg|zip|gz|tar|exe|proto|lock|conf|env|wav|parquet|onnx"
)
RULES = (
    Rule("dls", re.compile(r"\w[\w.+-]{0,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", re.ASCII), _plain),
    Rule(
        "l", re.compile(r"(?:https?|wss?|ftp|grpc)://(?P<address>[\x21-\x7e]*[A-Za-z0-9/])"), _link
    ),
    Rule(
        "l",
        re.compile(
            rf"(?P<address>(?:[A-Za-z0-9-]+\.)+(?:{_DOMAINS})(?![\w.-]*\w)(?::\d+)?"
            r"(?:/(?:[\w./#?=&%-]*[\w/])?)?)",
            re.ASCII,
        ),
        _link,
    ),
    Rule(
        "l",
        re.compile(
            r"(?P<address>(?:[A-Za-z0-9-]+\.)+(?:com|org|net|io|dev)(?::\d+)?"
            r"(?:/(?:[\w./#?=&%-]*[\w/])?))",
            re.ASCII,
        ),
        _link,
    ),
    Rule("l", re.compile(r"localhost(?::\d{2,5})?(?:/[\w./-]*\w)?", re.ASCII), _plain),
    Rule("d", re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?(?!\w|\.\d)"), _host),
    # Not between Chinese words with numbers: 3号/4号.
    Rule(
        "s", re.compile(rf"(?<![\w.)])(?!(?<=[{HAN}])/\d)~?(?:/[\w.*-]*[\w*])+/?", re.ASCII), _plain
    ),
    Rule(
        "ls",
        re.compile(rf"[\w*][\w*-]{{0,64}}(?:\.[\w-]{{1,64}}){{0,4}}\.(?:{_FILES})(?!\w)", re.ASCII),
        _plain,
    ),
    Rule("s", re.compile(r"(?<!\S)(?P<dashes>--?)(?P<name>[A-Za-z][\w-]*)", re.ASCII), _option),
)
