"""Bars of the medians as an SVG, written by hand: nothing to install for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

TARGET = Path(__file__).parents[1] / "peers.svg"
WIDTH, BAR, LABEL = 720, 18, 220


def draw(loads: Mapping[str, Mapping[str, float]], target: Path = TARGET) -> None:
    """One group of bars a workload, each group to its own scale."""
    parts, y = [], 8
    for title, figures in loads.items():
        y += 20
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += 8
        most = max(figures.values(), default=1.0)
        for name, figure in figures.items():
            width = max(1.0, figure / most * (WIDTH - LABEL - 90))
            color = "#7b3ff2" if name == "fastws" else "#9aa4b2"
            parts += [
                f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="14" fill="{color}"/>',
                f'<text x="{LABEL + width + 6:.1f}" y="{y + 13}">{figure:.1f} µs</text>',
            ]
            y += BAR
        y += 8
    style = "font: 13px sans-serif; background: #fff"
    target.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}" '
        f'style="{style}">\n' + "\n".join(parts) + "\n</svg>\n"
    )
