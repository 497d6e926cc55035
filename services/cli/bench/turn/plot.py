"""How soon answers are answered, as SVG: text that browsers show and git can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 40, 48
_COLOURS = ("#8a8f98", "#1a6fb5", "#d98e04", "#2a9d5c")
_MOST_SECONDS = 6.0


def svg(title: str, delays: Mapping[str, Sequence[float]]) -> str:
    """Draws for each system the share of answers that were answered by then.

    Args:
        title: Stands above.
        delays: Seconds from the end of speech to the first content of the reply, by system.
    """
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
        *_axes(),
    ]
    for number, (name, values) in enumerate(delays.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = f"M{_x(0):.1f} {_y(0):.1f}"
        for count, value in enumerate(sorted(values), start=1):
            path += f"H{_x(min(value, _MOST_SECONDS)):.1f}V{_y(count / len(values)):.1f}"
        path += f"H{_x(_MOST_SECONDS):.1f}"
        lines.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _HEIGHT - _BOTTOM - 14 - 18 * (len(delays) - 1 - number)
        x = _WIDTH - _RIGHT - 150
        lines.append(f'<path d="M{x} {y - 4}h22" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="{x + 28}" y="{y}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>\n"])


def _x(seconds: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / _MOST_SECONDS


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _axes() -> list[str]:
    bottom, middle = _HEIGHT - _BOTTOM, (_LEFT + _WIDTH - _RIGHT) / 2
    lines = []
    for seconds in range(int(_MOST_SECONDS) + 1):
        x = _x(seconds)
        lines.append(
            f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#e4e6ea"/>'
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{seconds}</text>'
        )
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        lines.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#e4e6ea"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>'
        )
    upright = (_TOP + bottom) / 2
    lines.append(
        f'<text x="{middle:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">'
        "seconds from the end of speech to the first content of the reply</text>"
        f'<text x="14" y="{upright:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {upright:.0f})">answers answered, %</text>'
    )
    return lines
