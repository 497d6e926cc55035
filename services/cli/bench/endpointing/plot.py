"""Curves of cut-ins against delay as SVG: text that browsers show and git can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 40, 48
_COLOURS = ("#8a8f98", "#d98e04", "#b5651d", "#1a6fb5", "#2a9d5c")
Curve = Sequence[tuple[float, float]]
"""Points (share of pauses cut, mean delay in seconds), by rising share."""


def svg(title: str, curves: Mapping[str, Curve], marks: Mapping[str, tuple[float, float]]) -> str:
    """Draws curves: cut-ins to 20 % from left to right, delay to 3 s upwards.

    Args:
        title: Stands above.
        curves: By name, in the order of the key.
        marks: Single points, by name.
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
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        inside = [(cut, delay) for cut, delay in curve if cut <= _MOST_CUT and delay <= _MOST_DELAY]
        # A budget is kept by the next better point, so the curve goes in steps.
        path = "".join(
            f"{'M' if not index else 'H'}{_x(cut):.1f}"
            + (f" {_y(delay):.1f}" if not index else f"V{_y(delay):.1f}")
            for index, (cut, delay) in enumerate(inside)
        )
        lines.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _TOP + 14 + 18 * number
        x = _WIDTH - _RIGHT - 230
        lines.append(f'<path d="M{x} {y - 4}h22" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="{x + 28}" y="{y}">{escape(name)}</text>')
    for name, (cut, delay) in marks.items():
        lines.append(f'<circle cx="{_x(cut):.1f}" cy="{_y(delay):.1f}" r="4" fill="black"/>')
        lines.append(f'<text x="{_x(cut) + 8:.1f}" y="{_y(delay) - 6:.1f}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>\n"])


_MOST_CUT, _MOST_DELAY = 0.2, 3.0


def _x(cut: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * cut / _MOST_CUT


def _y(delay: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * delay / _MOST_DELAY


def _axes() -> list[str]:
    lines = []
    for percent in (0, 5, 10, 15, 20):
        x = _x(percent / 100)
        lines.append(
            f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#e4e6ea"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{percent}</text>'
        )
    for half_seconds in range(7):
        y = _y(half_seconds / 2)
        lines.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#e4e6ea"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{half_seconds / 2:g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    lines.append(
        f'<text x="{middle:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">'
        "pauses inside answers that are cut, %</text>"
        f'<text x="14" y="{(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f})">mean delay, s</text>'
    )
    return lines
