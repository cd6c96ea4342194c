"""Draws docs/growth.svg: small pictures side by side, both axes by powers of ten, so that a slope of 1 is linear.

A curve may end before the last step: what was not measured is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "growth.svg"
STEPS = (1, 10, 100)
COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#e08e00", "#6a4c93", "#555555")
WIDTH, HEIGHT = 250, 190
LEFT, TOP, GAP_X, GAP_Y = 64, 64, 70, 92
FONT = 'font-family="sans-serif"'

Curves = Mapping[str, Mapping[str, Sequence[float]]]


def draw(curves: Curves) -> None:
    """One column for each dimension, one row for each unit; what is measured in the same unit shares a picture."""
    units = [unit for unit in ("ms", "s", "MB") if any(_of_unit(c, unit) for c in curves.values())]
    names = sorted({name for figures in curves.values() for name in figures})
    colour = {
        name: COLOURS[number % len(COLOURS)]
        for unit in units
        for number, name in enumerate(n for n in names if _unit(n) == unit)
    }
    columns = len(curves)
    width = LEFT + columns * (WIDTH + GAP_X)
    height = TOP + len(units) * (HEIGHT + GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    ]
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    parts.append(
        _text(
            LEFT,
            26,
            "How it grows: 1 = 1,000 members, 100,000 facts, 1 community (events: 10,000, rows: 1,000)",
            15,
            "start",
        )
    )
    for row, unit in enumerate(units):
        top = TOP + row * (HEIGHT + GAP_Y)
        every = [value for c in curves.values() for values in _of_unit(c, unit).values() for value in values]
        span = floor(log10(min(every))), ceil(log10(max(every)))
        for column, (dimension, figures) in enumerate(curves.items()):
            found = _of_unit(figures, unit)
            if found:
                parts += _picture(LEFT + column * (WIDTH + GAP_X), top, dimension, unit, span, found, colour)
        parts += _legend(top + HEIGHT + 38, [name for name in names if _unit(name) == unit], colour)
    FILE.write_text("\n".join([*parts, "</svg>", ""]))


def _unit(name: str) -> str:
    return name.rpartition(", ")[2]


def _of_unit(figures: Mapping[str, Sequence[float]], unit: str) -> dict[str, Sequence[float]]:
    return {name: values for name, values in figures.items() if _unit(name) == unit}


def _picture(
    left: int,
    top: int,
    dimension: str,
    unit: str,
    span: tuple[int, int],
    found: Mapping[str, Sequence[float]],
    colour: Mapping[str, str],
) -> Iterator[str]:
    def x(step: float) -> float:
        return left + 12 + (WIDTH - 24) * log10(step) / 2

    def y(value: float) -> float:
        return top + HEIGHT * (1 - (log10(value) - span[0]) / (span[1] - span[0]))

    yield _text(left + WIDTH / 2, top - 8, f"more {dimension}", 13, "middle")
    yield f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>'
    for power in range(span[0], span[1] + 1):
        yield f'<line x1="{left}" x2="{left + WIDTH}" y1="{y(10**power):.1f}" y2="{y(10**power):.1f}" stroke="#ddd"/>'
        yield _text(left - 6, y(10**power) + 4, f"{10.0**power:,g} {unit}", 10, "end")
    for step in STEPS:
        yield _text(x(step), top + HEIGHT + 16, f"× {step}", 11, "middle")
    for name, values in found.items():
        points = [(x(step), y(value)) for step, value in zip(STEPS, values, strict=False)]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        yield f'<polyline points="{line}" fill="none" stroke="{colour[name]}" stroke-width="2"/>'
        for px, py in points:
            yield f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour[name]}"/>'


def _legend(top: int, names: Sequence[str], colour: Mapping[str, str]) -> Iterator[str]:
    left = LEFT
    for name in names:
        words, stroke = name.rpartition(", ")[0], f'stroke="{colour[name]}" stroke-width="3"'
        yield f'<line x1="{left}" x2="{left + 18}" y1="{top - 4}" y2="{top - 4}" {stroke}/>'
        yield _text(left + 24, top, words, 12, "start")
        left += 50 + 7 * len(words)


def _text(x: float, y: float, words: str, size: int, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {FONT}>{escape(words)}</text>'
