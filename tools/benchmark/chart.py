"""chart.py RUNS SVG: how many times longer each program takes under each tool, on a logarithmic scale; bars are medians of
rounds, whiskers reach from the least to the most."""
import math
import statistics
import sys

import table

COLOURS = {"heaptrack": "#b0b0b0", "jemalloc, sampled": "#9ecae1", "tcmalloc, sampled": "#c7e9c0",
           "NativeHeap": "#d6604d", "NativeHeap, sampled": "#f4a582"}
LEFT, RIGHT, BAR, GAP, TOP = 190, 30, 9, 12, 64
WIDTH = 900


def main():
    runs = table.load(sys.argv[1])
    programs = [name for name in dict.fromkeys(workload for workload, _ in runs) if name != "true" and (name, "plain") in runs]
    tools = [tool for tool in COLOURS if any((program, tool) in runs for program in programs)]
    ratios = {}
    for program in programs:
        plain = runs[program, "plain"]
        for tool in tools:
            both = [run["wall_ns"] / plain[number]["wall_ns"] for number, run in runs[program, tool].items() if number in plain]
            if both:
                ratios[program, tool] = (min(both), statistics.median(both), max(both))
    most = max([2.0] + [high for _, _, high in ratios.values()])
    least = min([0.5] + [low for low, _, _ in ratios.values()])

    def x(ratio):
        share = (math.log(ratio) - math.log(least)) / (math.log(most) - math.log(least))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    height = TOP + len(programs) * (len(tools) * BAR + GAP) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="DejaVu Sans, sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           '<text x="10" y="20" font-size="15">Wall time of the program, in multiples of its own (logarithmic)</text>']
    place = 10
    for tool in tools:
        out.append(f'<rect x="{place}" y="32" width="12" height="12" fill="{COLOURS[tool]}"/>'
                   f'<text x="{place + 17}" y="43">{tool}</text>')
        place += 35 + 7.5 * len(tool)
    for tick in (0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 50, 100):
        if least <= tick <= most:
            strong = "#404040" if tick == 1 else "#dddddd"
            out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 8}" y2="{height - 24}" stroke="{strong}"/>'
                       f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    y = TOP
    for program in programs:
        out.append(f'<text x="{LEFT - 8}" y="{y + len(tools) * BAR / 2 + 4}" text-anchor="end">{program}</text>')
        for tool in tools:
            if (program, tool) in ratios:
                low, mid, high = ratios[program, tool]
                left, right = sorted((x(1), x(mid)))
                out.append(f'<rect x="{left:.1f}" y="{y}" width="{max(1, right - left):.1f}" height="{BAR - 1}" fill="{COLOURS[tool]}"/>'
                           f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y + BAR / 2}" y2="{y + BAR / 2}" stroke="#202020"/>')
            y += BAR
        y += GAP
    out.append("</svg>")
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
