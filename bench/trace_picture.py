#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws a part of a trace of HALYARD_LAYERS=trace as SVG: the tracks with what ran on them, in colours by name.

    bench/trace_picture.py TRACE.json [--last SKIP COUNT] >picture.svg

COUNT commands before the last SKIP ones, in the order in which they began.
"""
import argparse
import collections
import html
import json
import pathlib

WIDTH, LEFT, TRACK, GAP, TOP = 960, 130, 34, 12, 34
COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f", "#bab0ac", "#ff9da7")
LETTER = 6.2  # width of one at 11 pixels


def spans_of(events):
    """Commands, and calls from their begin to their end, each (track, name, begin, end)."""
    open_calls = collections.defaultdict(list)
    for event in events:
        track = event["pid"], event.get("tid")
        if event["ph"] == "X":
            yield track, event["name"], event["ts"], event["ts"] + event["dur"]
        elif event["ph"] == "B":
            open_calls[track].append(event)
        elif event["ph"] == "E" and open_calls[track]:
            yield track, event["name"], open_calls[track].pop()["ts"], event["ts"]


def names_of(events):
    named = (event for event in events if event["name"] == "thread_name")
    return {(event["pid"], event["tid"]): event["args"]["name"] for event in named}


def round_step(length):
    """1, 2 or 5 with zeros behind: the least number of microseconds that cuts a length into at most eight."""
    return next(step for power in range(15) for step in (10**power, 2 * 10**power, 5 * 10**power) if length <= 8 * step)


def text(x, y, words, size=11, anchor="start", colour="#333"):
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{html.escape(words)}</text>"


def draw_axis(begin, end, scale, bottom):
    step = round_step(end - begin)
    for at in range(0, int(end - begin) + 1, step):
        x = LEFT + at * scale
        yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>'
        yield text(x, TOP - 14, f"{at} µs", 10, "middle", "#666")


def draw_spans(spans, tracks, colours, begin, scale):
    for track, name, first, last in spans:
        y = TOP + tracks.index(track) * (TRACK + GAP)
        x, width = LEFT + (first - begin) * scale, max((last - first) * scale, 0.7)
        yield (f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{TRACK}" fill="{colours[name]}" stroke="#fff" '
               f'stroke-width="0.4"><title>{html.escape(name)}, {last - first:.1f} µs</title></rect>')
        if width > LETTER * len(name) + 4:
            yield text(x + width / 2, y + TRACK / 2 + 4, name, 11, "middle", "#fff")


def draw_legend(spans, colours, y):
    """The legend, and where it ends."""
    lines, spent = [], collections.Counter()
    for _, name, first, last in spans:
        spent[name] += last - first
    x = LEFT
    for name, _ in spent.most_common():
        words = f"{name} {spent[name]:.0f} µs"
        if x + 20 + LETTER * len(words) > WIDTH:
            x, y = LEFT, y + 18
        lines.append(f'<rect x="{x:.1f}" y="{y - 9}" width="10" height="10" fill="{colours[name]}"/>')
        lines.append(text(x + 14, y, words))
        x += 30 + LETTER * len(words)
    return lines, y + 12


def draw(events, skip, count):
    commands = sorted((event for event in events if event.get("cat") == "command"), key=lambda event: event["ts"])
    shown = commands[max(len(commands) - skip - count, 0):len(commands) - skip]
    if not shown:
        raise SystemExit("the trace has no such commands with times")
    begin, end = shown[0]["ts"], max(event["ts"] + event["dur"] for event in shown)
    spans = [(track, name, max(first, begin), min(last, end)) for track, name, first, last in spans_of(events)
             if last > begin and first < end]
    tracks = sorted({span[0] for span in spans})
    order = list(dict.fromkeys(span[1] for span in spans))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(order)}
    scale = (WIDTH - LEFT - 14) / (end - begin)
    bottom = TOP + len(tracks) * (TRACK + GAP)
    legend, height = draw_legend(spans, colours, bottom + 14)
    names = names_of(events)
    labels = [text(LEFT - 10, TOP + i * (TRACK + GAP) + TRACK / 2 + 4, names.get(track, "track"), 11, "end")
              for i, track in enumerate(tracks)]
    return [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *draw_axis(begin, end, scale, bottom), *labels,
            *draw_spans(spans, tracks, colours, begin, scale), *legend, "</svg>"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", type=pathlib.Path)
    parser.add_argument("--last", nargs=2, type=int, default=(0, 100), metavar=("SKIP", "COUNT"))
    options = parser.parse_args()
    print("\n".join(draw(json.loads(options.trace.read_text(encoding="utf-8")), *options.last)))


if __name__ == "__main__":
    main()
