"""Plots as SVG, written by hand: horizontal bars, and lines over time or percentile."""

import math
from html import escape

COLOURS = ["#6e7781", "#bf8700", "#1f6feb", "#54aeff", "#d1242f", "#8250df", "#1a7f37"]
WIDTH = 720


def document(height, body):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def text(x, y, words, anchor="start", colour="black", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def bars(title, rows):
    """Rows of name, value and label on a logarithmic scale: the servers differ by hundreds."""
    left, right, top, step = 190, 110, 34, 24
    low = 10 ** math.floor(math.log10(min(value for _, value, _ in rows)))
    high = max(value for _, value, _ in rows)
    scale = (WIDTH - left - right) / max(math.log10(high / low), 0.1)
    body = [text(WIDTH / 2, 18, title, "middle", weight="bold")]
    for index, (name, value, label) in enumerate(rows):
        y, width = top + index * step, max(math.log10(value / low) * scale, 1)
        colour = COLOURS[index % len(COLOURS)]
        body.append(text(left - 8, y + 13, name, "end"))
        body.append(
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>'
        )
        body.append(text(left + width + 6, y + 13, label))
    return document(top + len(rows) * step + 10, body)


def lines(title, across, up, series, x_ticks, logarithmic=False):
    """Series of name and points; `x_ticks` are pairs of place and label."""
    left, right, top, bottom, height = 70, 190, 40, 45, 320
    points = [point for _, line in series for point in line]
    x_low, x_high = x_ticks[0][0], x_ticks[-1][0]
    values = [max(y, 1e-3) for _, y in points]
    if logarithmic:
        y_ticks = decades(min(values), max(values))
    else:
        y_ticks = round_ticks(max(values))
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def x_at(x):
        return left + (x - x_low) / (x_high - x_low) * (WIDTH - left - right)

    def y_at(y):
        if logarithmic:
            share = math.log(max(y, y_low) / y_low) / math.log(y_high / y_low)
        else:
            share = (y - y_low) / (y_high - y_low)
        return height - bottom - share * (height - bottom - top)

    body = [text(WIDTH / 2, 18, title, "middle", weight="bold")]
    for x, label in x_ticks:
        at = x_at(x)
        body.append(f'<path d="M{at:.1f} {top}V{height - bottom}" stroke="#ddd"/>')
        body.append(text(at, height - bottom + 16, label, "middle"))
    for y in y_ticks:
        at = y_at(y)
        body.append(f'<path d="M{left} {at:.1f}H{WIDTH - right}" stroke="#ddd"/>')
        body.append(text(left - 6, at + 4, f"{y:g}", "end"))
    body.append(text((left + WIDTH - right) / 2, height - 10, across, "middle"))
    body.append(text(left - 55, top - 8, up))
    for index, (name, line) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line)
        body.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        body.append(text(WIDTH - right + 10, top + 10 + 16 * index, name, colour=colour))
    return document(height, body)


def decades(low, high):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10**power for power in range(first, max(last, first + 1) + 1)]


def round_ticks(high):
    power = 10 ** math.floor(math.log10(max(high, 1)))
    top = next(step * power for step in (1, 2, 5, 10) if step * power >= high)
    return [top * part / 5 for part in range(6)]
