"""measure.py ROOT WORK [--rounds N] [--scale X] [--only WORD]... [--tool NAME]... [--within MINUTES] [--append FILE]: runs
every program under every tool, round by round, and writes each run as one line of JSON to FILE (default WORK/runs). Begins
no round that would end after so many minutes. Used by tools/bench."""
import argparse
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import workloads

HELPERS = ("llvm-symbolizer", "addr2line")


class RunFailed(Exception):
    """A program did not end well under a tool; its cell of the tables stays empty."""


def descendants(root):
    """Pids below a process, with their parents' and the names of their images."""
    parents, names = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        pid = int(path.split("/")[2])
        names[pid] = text[text.index("(") + 1:text.rindex(")")]
        parents[pid] = int(text[text.rindex(")") + 2:].split()[1])
    found, rest = [], [root]
    while rest:
        pid = rest.pop()
        found.append((pid, names.get(pid, "")))
        if names.get(pid) != "clock":  # what is below it is the program
            rest += [child for child, parent in parents.items() if parent == pid]
    return found


def most_resident(pid):
    """VmHWM of a process in bytes; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


class Watch(threading.Thread):
    """Adds up the most resident memory of the tool's own processes while they run."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.helpers, self.over = pid, {}, {}, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            for pid, name in descendants(self.pid):
                if name not in ("clock", "nativeheap-laun", "heaptrack", "bash", "sh"):
                    kind = self.helpers if name in HELPERS else self.most
                    kind[pid] = max(kind.get(pid, 0), most_resident(pid))


def wait_for_port(port, process):
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def serve(workload, process):
    """Runs the client of a server; nanoseconds that it took."""
    wait_for_port(workload.port, process)
    start = time.monotonic_ns()
    client = subprocess.run(workload.client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    took = time.monotonic_ns() - start
    subprocess.run(workload.stop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return took if client.returncode == 0 else None


def run_once(tool, workload, work, trace):
    for old in glob.glob(trace + "*") + glob.glob(os.path.join(work, "heaptrack*")):
        os.remove(old)
    clock, times = os.path.join(work, "static/clock" if tool.static_clock else "clock"), os.path.join(work, "times")
    # What a tool preloads is for the program; env sets it behind the clock.
    variables = [f"{key}={value}" for key, value in tool.environment.items()]
    command = tool.words + [clock, times] + (["env"] + variables if variables else []) + workload.command
    start = time.monotonic_ns()
    with open(os.path.join(work, "output"), "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                   env=os.environ | workload.environment)
        watch = Watch(process.pid)
        watch.start()
        client_ns = serve(workload, process) if workload.client else 0
        process.wait()
    end = time.monotonic_ns()
    watch.over.set()
    watch.join()
    with open(times) as file:
        began, ended, user, system, rss, code = [int(word) for word in file.read().split()] or [0, 0, 0, 0, 0, -1]
    if code != 0 or process.returncode != 0 or client_ns is None:
        with open(os.path.join(work, "output"), errors="replace") as output:
            raise RunFailed(f"{workload.name} under {tool.name} ended with {code}, {process.returncode}:\n{output.read()[-2000:]}")
    files = [trace] if tool.name.startswith("NativeHeap") else glob.glob(os.path.join(work, "heaptrack*"))
    return {
        "workload": workload.name, "tool": tool.name, "wall_ns": client_ns or ended - began, "cpu_ns": user + system,
        "rss": rss * 1024, "starting_ns": began - start, "closing_ns": end - ended, "tool_rss": sum(watch.most.values()),
        "helper_rss": sum(watch.helpers.values()),
        "trace_bytes": sum(os.path.getsize(name) for name in files if os.path.exists(name)),
    }


def allocations(root, trace):
    """What NativeHeap counted in the program: all processes but our clock."""
    out = subprocess.check_output(
        ["dotnet", os.path.join(root, "src/Cli/bin/Release/net10.0/nativeheap.dll"), "report", trace, "--json", "--top", "1"])
    return json.loads(out)["totals"]["allocations"]


def report_ns(root, tool, trace, work):
    """How long the first report of a finished run takes."""
    if tool.name == "heaptrack":
        command = ["heaptrack_print"] + glob.glob(os.path.join(work, "heaptrack*"))
    elif tool.name.startswith("NativeHeap"):
        command = ["dotnet", os.path.join(root, "src/Cli/bin/Release/net10.0/nativeheap.dll"), "report", trace]
    else:
        return None
    start = time.monotonic_ns()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic_ns() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("work")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--tool", action="append", default=[])
    parser.add_argument("--within", type=float)
    parser.add_argument("--append")
    options = parser.parse_args()
    trace = os.path.join(options.work, "x.nheap")
    programs = [workload for workload in workloads.workloads(options.root, options.work, options.scale)
                if not options.only or any(word in workload.name for word in options.only)]
    tools = [tool for tool in workloads.tools(options.root, options.work, trace)
             if not options.tool or tool.name in ["plain"] + options.tool]
    begin = time.monotonic()
    with open(options.append or os.path.join(options.work, "runs"), "a") as runs:
        for number in range(1, options.rounds + 1):
            for workload in programs:
                for tool in tools:
                    try:
                        run = run_once(tool, workload, options.work, trace)
                    except RunFailed as failure:
                        print(f"bench: error: {failure}", file=sys.stderr)
                        continue
                    run["round"] = number
                    if number == 1:
                        run["report_ns"] = report_ns(options.root, tool, trace, options.work)
                        if tool.name == "NativeHeap":
                            run["allocations"] = allocations(options.root, trace)
                    runs.write(json.dumps(run) + "\n")
                    runs.flush()
                print(f"bench: round {number}: {workload.name}", file=sys.stderr)
            minutes = (time.monotonic() - begin) / 60
            if options.within and minutes / number * (number + 1) > options.within:
                print(f"bench: {number} rounds took {minutes:.1f} minutes", file=sys.stderr)
                break


if __name__ == "__main__":
    main()
