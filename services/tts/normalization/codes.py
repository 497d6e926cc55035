"""Numbers that name something: status codes, ports, standards, hashes, and letters with digits."""

from __future__ import annotations

import re
from itertools import pairwise

from services.tts.normalization import number_words as numbers
from services.tts.normalization.letters import spell, with_names
from services.tts.normalization.rule import Context, Piece, Reading, Rule
from services.tts.normalization.terms import term
from services.tts.normalization.units import UNIT, UNITS
from services.tts.normalization.words import word_reading

# What a number behind these names, not counts.
_NAMING = frozenset(
    [
        "port",
        "ports",
        "rfc",
        "iso",
        "pep",
        "http",
        "status",
        "error",
        "code",
        "codes",
        "room",
        "flight",
        "rtx",
        "gtx",
        "geforce",
        "radeon",
        "ieee",
        "highway",
        "route",
        "bus",
        "boeing",
    ]
)
_STATUSES = frozenset(
    [
        "400",
        "401",
        "403",
        "404",
        "405",
        "408",
        "409",
        "410",
        "413",
        "415",
        "418",
        "422",
        "429",
        "500",
        "501",
        "502",
        "503",
        "504",
        "301",
        "302",
        "304",
        "307",
        "308",
        "200",
        "201",
        "202",
        "204",
    ]
)
_STATUS_BEFORE = frozenset(
    [
        "returns",
        "returned",
        "return",
        "returning",
        "answers",
        "answered",
        "gives",
        "got",
        "get",
        "gets",
        "getting",
        "a",
        "an",
        "with",
        "as",
        "throws",
        "threw",
        "sends",
        "sent",
        "and",
        "or",
        "the",
    ]
)
_STATUS_AFTER = frozenset(
    [
        "error",
        "errors",
        "status",
        "response",
        "responses",
        "code",
        "codes",
        "page",
        "not",
        "ok",
        "or",
        "and",
    ]
)
_HAN_NAMING = re.compile(
    r"(?:端口|端口是|端口为|返回了?|状态码|状态码是|错误码|报了?|房间|出现了?)\s*$"
)
# Of 985高校, and of the first of 985、211高校.
_HAN_NAMED_AFTER = re.compile(
    r"(?<=\d{3})(?<!0)(?:[、/和或及]\d{3})*(?:高校|院校|大学|学校|名校|工程|工作制|晚会)"
)
_HAN_STATUS_AFTER = re.compile(r"\s*(?:错误|状态码|端口|响应)")


def _code(match: re.Match[str], context: Context) -> Reading:
    """A number of 2 to 5 digits that is read in pairs."""
    text, start, end = match.group(), match.start(), match.end()
    if context.chinese(start):
        before = context.text[max(0, start - 8) : start]
        naming = context.before(start) in _NAMING or _HAN_NAMING.search(before)
        status = text in _STATUSES and _HAN_STATUS_AFTER.match(context.text, end)
        clean = context.text[end:].lstrip()[:1] not in "个台次条毫秒"
        named = (naming or status) and clean and len(text) > 2
        if named or _HAN_NAMED_AFTER.match(context.text, end):
            return numbers.han_digits(text)
        return None
    before, after = context.before(start), context.after(end)
    if before in _NAMING or (len(text) == _MODEL_DIGITS and _is_model(start, end, context)):
        return numbers.paired(text)
    if text in _STATUSES and _is_status(before, after):
        return numbers.paired(text)
    return None


def _is_model(start: int, end: int, context: Context) -> bool:
    """Whether a number belongs to the name before it, as in "a Porsche 911", and counts nothing."""
    name = _NAME.search(context.text[:start])
    if name is None or context.begins_sentence(name.start(1)) or name.group(1)[:3] in _MONTHS:
        return False
    return not _COUNTED.match(context.text, end) and context.after(end) not in _NOUNS


_MODEL_DIGITS = 3
_NAME = re.compile(r"(?<![\w.&'’-])([A-Z][a-z]+)\s$")
_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = frozenset(_MONTH_NAMES.split())
_NOUNS = frozenset(["people", "percent", "men", "women", "children"])


def _is_status(before: str, after: str) -> bool:
    if after.lower() in _STATUS_AFTER:
        return before in _STATUS_BEFORE or after.lower() not in {"or", "and"}
    return before in _STATUS_BEFORE - {"and", "or", "the", "with", "as"} and not after


def _hexadecimal(match: re.Match[str], context: Context) -> Reading:
    zero, digit = (
        ("零", numbers.han_digits) if context.chinese(match.start()) else ("zero", numbers.digits)
    )
    head = [
        Piece(match.start(), match.start() + 1, zero),
        Piece(match.start() + 1, match.start() + 2, spell(match["base"])),
    ]
    return head + _one_by_one(match.start("digits"), match["digits"], digit)


def _color(match: re.Match[str], context: Context) -> Reading:
    if match["digits"].isdigit() and len(match["digits"]) != 6:
        return None
    return [
        Piece(match.start(), match.start() + 1, "hash"),
        *_one_by_one(match.start("digits"), match["digits"], numbers.digits),
    ]


def _one_by_one(start: int, text: str, digit: object) -> list[Piece]:
    say = numbers.han_digits if digit is numbers.han_digits else numbers.digits
    return [
        Piece(
            start + index,
            start + index + 1,
            say(character) if character.isdigit() else spell(character),
        )
        for index, character in enumerate(text)
    ]


def _standard(match: re.Match[str], context: Context) -> Reading:
    """H.264."""
    say = numbers.han_digits if context.chinese(match.start()) else numbers.paired
    return [
        Piece(match.start(), match.start() + 1, spell(match.group()[0])),
        Piece(*match.span("number"), say(match["number"])),
    ]


def _numbered(match: re.Match[str], context: Context) -> Reading:
    """#42."""
    if context.chinese(match.start()):
        return f"{numbers.han_number(match['value'])}号"
    return f"number {numbers.integer(match['value'])}"


def _vulnerability(match: re.Match[str], context: Context) -> Reading:
    chinese = context.chinese(match.start())
    year = numbers.han_digits(match["year"]) if chinese else numbers.year(int(match["year"]))
    serial = (numbers.han_digits if chinese else numbers.digits)(match["serial"])
    return [
        Piece(*match.span("name"), spell(match["name"])),
        Piece(*match.span("year"), year),
        Piece(*match.span("serial"), serial),
    ]


def _serial(match: re.Match[str], context: Context) -> Reading:
    """Of "Ticket 22-1034": what bears a number of this form has no range."""
    parts = [match.span("series"), match.span("serial")]
    if context.before(match.start()) not in _NUMBERED_IN_SERIES:
        return None
    say = numbers.han_digits if context.chinese(match.start()) else numbers.paired
    return [Piece(start, end, say(context.text[start:end])) for start, end in parts]


_SERIES = "ticket case invoice docket issue reference ref number no id serial bill"
_NUMBERED_IN_SERIES = frozenset(_SERIES.split())


def _wireless(match: re.Match[str], context: Context) -> Reading:
    """802.11ax: a working group of the IEEE's project 802."""
    chinese = context.chinese(match.start())
    group = numbers.han_digits(match["group"]) if chinese else numbers.paired(match["group"])
    said = f"八零二点{group}" if chinese else f"{numbers.paired('802')} point {group}"
    found = [Piece(match.start(), match.end("group"), said)]
    if match["amendment"]:
        found.append(Piece(*match.span("amendment"), spell(match["amendment"])))
    return found


def _house(match: re.Match[str], context: Context) -> Reading:
    """Of "221B Baker Street"."""
    return [
        Piece(*match.span("number"), numbers.paired(match["number"])),
        Piece(*match.span("letter"), spell(match["letter"])),
    ]


def _company(match: re.Match[str], context: Context) -> Reading:
    """3M, where one works; else it is three million."""
    employer = _EMPLOYED.search(context.text[: match.start()])
    counted = _COUNTED.match(context.text, match.end())
    if employer is None or counted or context.chinese(match.start()):
        return None
    return [
        Piece(match.start(), match.end() - 1, numbers.cardinal(3)),
        Piece(match.end() - 1, match.end(), spell("M")),
    ]


_EMPLOYED = re.compile(
    r"(?:\b(?:[Ww]ork|[Ww]orked|[Ww]orking|jobs?|roles?|intern|interned|engineer|manager|years?|team|was"
    r"|am|here|position) at|\b(?:[Jj]oin|[Jj]oined|[Ll]eft)|[A-Z]&[A-Z],?(?: and)?)\s$"
)
_COUNTED = re.compile(r"\s(?!as\b|is\b|was\b|has\b)[a-z]+s\b")


def _section(match: re.Match[str], context: Context) -> Reading:
    """Of a law, as in "401(k)"."""
    say = numbers.han_digits if context.chinese(match.start()) else numbers.paired
    return [
        Piece(*match.span("number"), say(match["number"])),
        Piece(*match.span("letter"), spell(match["letter"])),
    ]


def _initials_and(match: re.Match[str], context: Context) -> Reading:
    """AT&T, R&D."""
    said = "和" if context.chinese(match.start()) else "and"
    return [
        Piece(*match.span("first"), spell(match["first"])),
        Piece(match.end("first"), match.start("last"), said),
        Piece(*match.span("last"), spell(match["last"])),
    ]


def _ancestor(match: re.Match[str], context: Context) -> Reading:
    """HEAD~3: a commit before a commit."""
    count = match["count"]
    say = numbers.han_number if context.chinese(match.start()) else numbers.integer
    tilde = match.end("name")
    return [
        Piece(*match.span("name"), match["name"].lower()),
        Piece(tilde, tilde + 1, "tilde"),
        Piece(*match.span("count"), say(count)),
    ]


def _bounded(match: re.Match[str], context: Context) -> Reading:
    """Of "sub-10ms": a bound within a compound."""
    unit = UNITS[match["unit"]]
    chinese = context.chinese(match.start())
    say = numbers.han_number if chinese else numbers.decimal
    return [
        Piece(*match.span("bound"), match["bound"].lower()),
        Piece(*match.span("value"), say(match["value"])),
        Piece(*match.span("unit"), with_names(unit.han) if chinese else unit.one),
    ]


_LINKING = frozenset(["in", "to", "of", "by", "at", "on", "or", "and", "the", "vs"])
_GROUP = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)?")
_HASH = re.compile(r"[0-9a-f]{7,40}")


def _mixed(match: re.Match[str], context: Context) -> Reading:
    """Letters and digits in turn: "S3", "x86-64", "HTTP/2", "p99.9", "Log4j", "5G"."""
    whole = match.group()
    start = match.start()
    known = term(whole)
    if known is not None:
        return known
    groups = list(_GROUP.finditer(whole))
    if groups[0].group() in _LINKING:
        # "a 1-in-10 chance"
        return None
    chinese = context.chinese(start)
    changes = sum(a.group()[0].isdigit() != b.group()[0].isdigit() for a, b in pairwise(groups))
    if _HASH.fullmatch(whole) and changes >= 3:
        return _one_by_one(start, whole, numbers.han_digits if chinese else numbers.digits)
    found = []
    for group in groups:
        text = group.group()
        said = _group_number(text, chinese=chinese) if text[0].isdigit() else _group_word(text)
        found.append(Piece(start + group.start(), start + group.end(), said))
    return found


def _group_number(text: str, *, chinese: bool) -> str:
    if "." in text:
        return numbers.han_number(text) if chinese else numbers.decimal(text)
    if chinese:
        return numbers.han_digits(text) if len(text) > 3 else numbers.han_number(text)
    return numbers.paired(text)


def _group_word(text: str) -> str:
    known = term(text)
    if known is not None:
        return known
    if len(text) <= 2 and not (text.islower() and text in {"to", "go"}):
        return spell(text)
    return word_reading(text)


_STREET = "Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Dr|Square|Court|Place|Way|Terrace|Boulevard|Blvd"
RULES = (
    Rule(
        "l",
        re.compile(
            r"(?<!\w)(?P<bound>[Ss]ub|[Uu]nder|[Oo]ver|[Nn]ear)-(?P<value>\d+(?:\.\d+)?)[\s-]?"
            rf"(?P<unit>{UNIT})(?!\w)"
        ),
        _bounded,
    ),
    Rule("d", re.compile(r"(?<![\w.-])(?P<series>\d{1,2})-(?P<serial>\d{3,6})(?![\w-])"), _serial),
    Rule(
        "d",
        re.compile(r"(?<![\w.])802\.(?P<group>[1-9]\d?)(?P<amendment>[a-z]{1,2})?(?!\w|\.\d)"),
        _wireless,
    ),
    Rule(
        "d",
        re.compile(
            r"(?P<number>\d{1,4})(?P<letter>[A-Z])(?!\w)"
            rf"(?=\s(?:[A-Z][a-z]+\s){{1,3}}(?:{_STREET})\b)"
        ),
        _house,
    ),
    Rule("d", re.compile(r"(?<![\w.$])3M(?!\w)"), _company),
    Rule("d", re.compile(r"(?<![\w.,$])(?P<number>\d{3})\((?P<letter>[a-m])\)"), _section),
    Rule("l", re.compile(r"(?P<first>[A-Z]{1,2})&(?P<last>[A-Z]{1,2})(?!\w)"), _initials_and),
    Rule("l", re.compile(r"(?<!\w)(?P<name>HEAD|main|master)~(?P<count>\d+)(?!\w)"), _ancestor),
    Rule(
        "d", re.compile(r"(?P<zero>0)(?P<base>[xXbB])(?P<digits>[0-9A-Fa-f]+)(?!\w)"), _hexadecimal
    ),
    Rule("s", re.compile(r"#(?P<digits>[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})(?!\w)"), _color),
    Rule("s", re.compile(r"#(?P<value>\d{1,7})(?!\w)"), _numbered),
    Rule("l", re.compile(r"(?P<name>CVE)-(?P<year>\d{4})-(?P<serial>\d{4,7})"), _vulnerability),
    Rule(
        "d",
        re.compile(r"(?<![\w.,$#])\d{2,5}(?![\w,%.]*[\d%])(?!\s?(?:%|[kKMGT]?i?B\b|ms\b|s\b))"),
        _code,
    ),
    Rule("l", re.compile(r"(?<!\w)[A-Z]\.(?P<number>\d{3})(?!\w)"), _standard),
    # A letter first: "p99.9", "x86-64", "GPT-4o", "HTTP/1.1".
    Rule(
        "l",
        re.compile(
            r"[A-Za-z]{1,12}(?:[-/]?\d+(?:\.\d+)?)(?:-?[A-Za-z]{1,4}\d*|-\d{1,4})*(?![\w])",
            re.ASCII,
        ),
        _mixed,
    ),
    Rule("l", re.compile(r"[A-Za-z]+\d[A-Za-z\d]*(?![\w])", re.ASCII), _mixed),
    # A digit first: "5G", "2FA", "802.11ac", and hashes.
    Rule("d", re.compile(r"(?=[0-9a-f]*[a-f]\d)[0-9a-f]{7,40}(?!\w)", re.ASCII), _mixed),
    Rule(
        "d",
        re.compile(
            rf"\d+(?:\.\d+)?(?!(?:[KMB]|{UNIT})(?![A-Za-z]))[A-Z][A-Za-z]{{0,2}}(?!\w)", re.ASCII
        ),
        _mixed,
    ),
)
