"""Units of measure, as they are written after a number."""

from __future__ import annotations

import re
from typing import NamedTuple


class Unit(NamedTuple):
    """How a unit is said.

    Attributes:
        one: In English after "one", and before a noun.
        many: In English after any other number.
        han: In Mandarin; capital letters are said by their names.
    """

    one: str
    many: str
    han: str


def _unit(one: str, han: str, many: str | None = None) -> Unit:
    return Unit(one, f"{one}s" if many is None else many, han)


UNITS = {
    # Time.
    "ns": _unit("nanosecond", "纳秒"),
    "ms": _unit("millisecond", "毫秒"),
    "s": _unit("second", "秒"),
    "sec": _unit("second", "秒"),
    "secs": _unit("second", "秒"),
    "min": _unit("minute", "分钟"),
    "mins": _unit("minute", "分钟"),
    "h": _unit("hour", "小时"),
    "hr": _unit("hour", "小时"),
    "hrs": _unit("hour", "小时"),
    "d": _unit("day", "天"),
    "yr": _unit("year", "年"),
    "yrs": _unit("year", "年"),
    # Data.
    "bps": _unit("bit per second", "比特每秒", "bits per second"),
    "fps": _unit("frame per second", "帧每秒", "frames per second"),
    # Frequency, power, electricity.
    "V": _unit("volt", "伏"),
    "mV": _unit("millivolt", "毫伏"),
    "mA": _unit("milliamp", "毫安"),
    "mAh": _unit("milliamp hour", "毫安时"),
    "kWh": _unit("kilowatt hour", "千瓦时"),
    "dB": _unit("decibel", "分贝"),
    # Length, weight, volume.
    "nm": _unit("nanometer", "纳米"),
    "mm": _unit("millimeter", "毫米"),
    "cm": _unit("centimeter", "厘米"),
    "m": _unit("meter", "米"),
    "km": _unit("kilometer", "公里"),
    "m²": _unit("square meter", "平方米"),
    "km²": _unit("square kilometer", "平方公里"),
    "m³": _unit("cubic meter", "立方米"),
    "mg": _unit("milligram", "毫克"),
    "g": _unit("gram", "克"),
    "kg": _unit("kilogram", "公斤"),
    "lb": _unit("pound", "磅"),
    "lbs": _unit("pound", "磅"),
    "ft": _unit("foot", "英尺", "feet"),
    "ml": _unit("milliliter", "毫升"),
    "mi": _unit("mile", "英里"),
    "mph": _unit("mile per hour", "英里每小时", "miles per hour"),
    "px": _unit("pixel", "像素"),
    # Temperature.
    "°C": _unit("degree celsius", "摄氏度", "degrees celsius"),
    "℃": _unit("degree celsius", "摄氏度", "degrees celsius"),
    "°F": _unit("degree fahrenheit", "华氏度", "degrees fahrenheit"),
    "°": _unit("degree", "度"),
    # Shares.
    "%": _unit("percent", "", "percent"),
    "％": _unit("percent", "", "percent"),
    "‰": _unit("per mille", "", "per mille"),
    # Work.
    "req": _unit("request", "个请求"),
    "reqs": _unit("request", "个请求"),
    "rps": _unit("request per second", "个请求每秒", "requests per second"),
    "ops": _unit("operation", "次操作"),
    "tok": _unit("token", "个 token"),
    "USD": _unit("dollar", "美元"),
    "EUR": _unit("euro", "欧元"),
    "RMB": _unit("yuan", "元", "yuan"),
    "CNY": _unit("yuan", "元", "yuan"),
}
for _sign in ("us", "μs", "µs"):
    UNITS[_sign] = _unit("microsecond", "微秒")
# Greece's letter and the sign that looks like it.
for _sign in "ΩΩ":
    UNITS[_sign] = _unit("ohm", "欧")
    UNITS[f"m{_sign}"] = _unit("milliohm", "毫欧")
    UNITS[f"k{_sign}"] = _unit("kilohm", "千欧")
    UNITS[f"M{_sign}"] = _unit("megohm", "兆欧")
for _letter, _prefix, _han in (
    ("K", "kilo", "千"), ("k", "kilo", "千"), ("M", "mega", "兆"), ("G", "giga", "吉"),
    ("T", "tera", "太"), ("P", "peta", "拍"),
):  # fmt: skip
    UNITS[f"{_letter}B"] = _unit(f"{_prefix}byte", f"{_letter.upper()} B")
    UNITS[f"{_letter}iB"] = _unit(f"{_prefix[:2]}bibyte", f"{_letter.upper()} I B")
    UNITS[f"{_letter}i"] = UNITS[f"{_letter}iB"]
    for _bits in (f"{_letter}bps", f"{_letter}b/s", f"{_letter}bit/s"):
        UNITS[_bits] = _unit(
            f"{_prefix}bit per second", f"{_han}比特每秒", f"{_prefix}bits per second"
        )
    UNITS[f"{_letter}Hz"] = _unit(f"{_prefix}hertz", f"{_han}赫兹", f"{_prefix}hertz")
    UNITS[f"{_letter}W"] = _unit(f"{_prefix}watt", f"{_han}瓦")
UNITS["Hz"] = _unit("hertz", "赫兹", "hertz")
UNITS["W"] = _unit("watt", "瓦")
UNITS["mW"] = _unit("milliwatt", "毫瓦")

UNIT = "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True))
"""Every unit, as a regular expression's part; nothing of a word may follow it."""

_PER = {
    "s": ("second", "秒"), "sec": ("second", "秒"), "second": ("second", "秒"),
    "min": ("minute", "分钟"), "minute": ("minute", "分钟"),
    "h": ("hour", "小时"), "hr": ("hour", "小时"), "hour": ("hour", "小时"),
    "d": ("day", "天"), "day": ("day", "天"), "week": ("week", "周"), "wk": ("week", "周"),
    "month": ("month", "月"), "mo": ("month", "月"), "year": ("year", "年"), "yr": ("year", "年"),
    "GB": ("gigabyte", "G B"), "MB": ("megabyte", "M B"), "TB": ("terabyte", "T B"),
    "kWh": ("kilowatt hour", "千瓦时"),
    "request": ("request", "个请求"), "req": ("request", "个请求"), "call": ("call", "次调用"),
    "query": ("query", "次查询"), "user": ("user", "个用户"), "seat": ("seat", "个席位"),
    "token": ("token", "个 token"), "core": ("core", "核"), "node": ("node", "个节点"),
    "host": ("host", "台主机"), "pod": ("pod", "个 pod"), "person": ("person", "人"),
    "item": ("item", "项"), "page": ("page", "页"), "frame": ("frame", "帧"),
    "image": ("image", "张图"), "GPU": ("G P U", "块 G P U"),
    "秒": ("second", "秒"), "分钟": ("minute", "分钟"), "小时": ("hour", "小时"),
    "天": ("day", "天"), "日": ("day", "日"), "周": ("week", "周"), "月": ("month", "月"),
    "季度": ("quarter", "季度"), "年": ("year", "年"), "人": ("person", "人"),
    "次": ("time", "次"), "个": ("item", "个"), "台": ("machine", "台"), "核": ("core", "核"),
    "节点": ("node", "节点"), "张": ("item", "张"), "件": ("item", "件"), "户": ("household", "户"),
}  # fmt: skip
PER = "|".join(sorted(_PER, key=len, reverse=True))
"""What a rate is counted by, as a regular expression's part."""


def per(name: str) -> str:
    """Of "s": "per second"."""
    return f"per {_PER[name][0]}"


def han_per(name: str) -> str:
    """Of "s": 每秒."""
    return f"每{_PER[name][1]}"
