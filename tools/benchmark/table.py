"""table.py RUNS: the tables of docs/performance.md from what measure.py wrote. Figures are medians of rounds with the least and
the most; what is compared is compared within a round."""
import json
import statistics
import sys
from collections import defaultdict

NANO = 1_000_000_000


def load(path):
    runs = defaultdict(dict)
    with open(path) as lines:
        for line in lines:
            run = json.loads(line)
            runs[run["workload"], run["tool"]][run["round"]] = run
    return runs


def spread(values, form):
    low, mid, high = form.format(min(values)), form.format(statistics.median(values)), form.format(max(values))
    return f"{mid} ({low}–{high})" if len(values) > 1 else mid


def size(value):
    for unit, form in ((1 << 30, "{:.1f} GiB"), (1 << 20, "{:.1f} MiB"), (1 << 10, "{:.0f} KiB")):
        if value >= unit:
            return form.format(value / unit)
    return f"{value:.0f} B"


def main():
    runs = load(sys.argv[1])
    programs = [name for name in dict.fromkeys(workload for workload, _ in runs) if (name, "plain") in runs]
    tools = [tool for tool in dict.fromkeys(tool for _, tool in runs) if tool != "plain"]
    counts = {workload: next((run["allocations"] for run in rounds.values() if "allocations" in run), 0)
              for (workload, tool), rounds in runs.items() if tool == "NativeHeap"}

    print("| program | allocations | plain | " + " | ".join(f"× {tool}" for tool in tools) + " |")
    print("| --- | ---: | ---: |" + " ---: |" * len(tools))
    for program in programs:
        plain = runs[program, "plain"]
        cells = [program, f"{counts.get(program, 0):,}", spread([run["wall_ns"] / NANO for run in plain.values()], "{:.2f} s")]
        for tool in tools:
            both = [(run, plain[number]) for number, run in runs[program, tool].items() if number in plain]
            cells.append(spread([run["wall_ns"] / base["wall_ns"] for run, base in both], "{:.2f}") if both else "–")
        print("| " + " | ".join(cells) + " |")

    print("\nNanoseconds added for each allocation with its free: wall time / the program's own CPU time.\n")
    print("| program | " + " | ".join(tools) + " | NativeHeap's wall of heaptrack's |")
    print("| --- |" + " ---: |" * (len(tools) + 1))
    for program in programs:
        plain, count, cells, added = runs[program, "plain"], counts.get(program, 0), [program], {}
        if count < 100_000:
            continue
        for tool in tools:
            both = [(run, plain[number]) for number, run in runs[program, tool].items() if number in plain]
            if not both:
                cells.append("–")
                continue
            added[tool] = statistics.median([(run["wall_ns"] - base["wall_ns"]) / count for run, base in both])
            cpu = statistics.median([(run["cpu_ns"] - base["cpu_ns"]) / count for run, base in both])
            form = "{:.1f}" if abs(added[tool]) < 20 else "{:.0f}"
            cells.append(f"{form.format(added[tool])} / {form.format(cpu)}")
        ratio = added.get("NativeHeap", 0) / added["heaptrack"] if added.get("heaptrack", 0) > 0 else 0
        print("| " + " | ".join(cells) + f" | {f'{ratio:.2f}' if ratio else '–'} |")

    one, two = "loop, depth 10", "loop, depth 10, 2 threads"
    if (one, "plain") in runs and (two, "plain") in runs:
        print("\nTwo threads that share the work of one: how many times quicker, in the same round.\n")
        print("| | " + " | ".join(["plain"] + tools) + " |")
        print("| --- |" + " ---: |" * (len(tools) + 1))
        print("| loop, depth 10 | " + " | ".join(
            spread([run["wall_ns"] / runs[two, tool][number]["wall_ns"] for number, run in runs[one, tool].items()
                    if number in runs[two, tool]] or [0], "{:.2f}") for tool in ["plain"] + tools) + " |")

    print("\nMemory, files, and what is not the program's own time. Report: of a finished run, the first one.\n")
    print("| program | tool | program's memory over plain | tool's processes | those that look up names | file | starting | closing | report |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for program in programs:
        base = statistics.median(run["rss"] for run in runs[program, "plain"].values())
        for tool in tools:
            rounds = runs[program, tool].values()
            if not rounds or "sampled" in tool and not tool.startswith("NativeHeap"):
                continue
            median = {key: statistics.median(run[key] for run in rounds)
                      for key in ("rss", "tool_rss", "helper_rss", "trace_bytes", "starting_ns", "closing_ns")}
            report = [run["report_ns"] for run in rounds if run.get("report_ns")]
            print(f"| {program} | {tool} | {size(max(0, median['rss'] - base))} | {size(median['tool_rss'])} | "
                  f"{size(median['helper_rss'])} | "
                  f"{size(median['trace_bytes'])} | {median['starting_ns'] / NANO:.2f} s | {median['closing_ns'] / NANO:.2f} s | "
                  f"{f'{report[0] / NANO:.2f} s' if report else '–'} |")


if __name__ == "__main__":
    main()
