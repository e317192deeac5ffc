"""Bars as SVG: what all charts of docs/performance/ are drawn by."""

import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs/performance"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw(name, what, cases, ours, folder=FOLDER):
    """Draws {case: {contestant: value}} into `name`.svg; `ours` says which contestants are."""
    bars, y = [], 20
    for case, values in cases.items():
        longest = max(values.values(), default=1) or 1
        bars.append(f'<text x="10" y="{y}" font-weight="bold">{case}</text>')
        y += 8
        for contestant, value in values.items():
            width, colour = max(1, 420 * value / longest), "#2563eb" if ours(contestant) else "#94a3b8"
            bars.append(f'<text x="200" y="{y + 13}" text-anchor="end">{contestant}</text>')
            bars.append(f'<rect x="210" y="{y + 2}" width="{width:.1f}" height="14" fill="{colour}"/>')
            bars.append(f'<text x="{216 + width:.1f}" y="{y + 13}">{number(value)}</text>')
            y += 20
        y += 26
    style = 'font-family="sans-serif" font-size="12" fill="#0f172a"'
    body = f'<rect width="720" height="{y}" fill="#fff"/><g {style}>{"".join(bars)}</g>'
    folder.mkdir(exist_ok=True)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{y}"><title>{name}: {what}</title>{body}</svg>\n'
    (folder / f"{name}.svg").write_text(svg)
