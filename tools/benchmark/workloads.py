"""What tools/bench runs: programs with their sizes, and the tools to run them under."""
import os
import subprocess

TEMPLATES = """
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <variant>
#include <vector>
std::map<std::string, std::vector<std::variant<int, std::string, std::function<int(int)>>>> table;
bool f(const std::string& s) { return std::regex_match(s, std::regex("(a|b)*c+[0-9]{2,5}")) && table[s].empty(); }
"""

TREES = """
import sys
def tree(depth):
    return None if depth == 0 else [tree(depth - 1), tree(depth - 1), depth]
for i in range(int(sys.argv[1])):
    tree(14)
"""

JSON = """
import json, sys
data = [{"id": i, "name": "x" * (i % 700), "tags": [str(i), str(i * 7)]} for i in range(12000)]
for _ in range(int(sys.argv[1])):
    data = json.loads(json.dumps(data))
"""

NODE = """
let data = [];
for (let i = 0; i < 12000; i++) data.push({ id: i, name: "x".repeat(i % 700), tags: [String(i), String(i * 7)] });
for (let i = 0; i < Number(process.argv[2]); i++) {
  data = JSON.parse(JSON.stringify(data));
  Buffer.from(JSON.stringify(data)).toString("base64");
}
"""

SQL = """
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO t SELECT i, printf('name %d', i * 7919 % 10007), i * 0.5 FROM n;
CREATE INDEX byname ON t(name);
SELECT name, count(*), sum(v) FROM t GROUP BY name ORDER BY 3 DESC LIMIT 5;
"""


class Workload:
    """A program. With a client it is a server: its wall time is the client's."""

    def __init__(self, name, command, environment=None, client=None, port=None, stop=None):
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.client = client
        self.port = port
        self.stop = stop


class Tool:
    """What a program is run under: words before it, variables, and whether its library must stay out of our clock."""

    def __init__(self, name, words=(), environment=None, static_clock=True):
        self.name = name
        self.words = list(words)
        self.environment = environment or {}
        self.static_clock = static_clock


def workloads(root, work, scale):
    """All programs, their sizes multiplied by `scale`; files they need are written into `work`."""
    def file(name, text):
        path = os.path.join(work, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def size(n):
        return str(max(1, int(n * scale)))

    paths = os.path.join(work, "paths")
    cc1plus = subprocess.check_output(["g++", "-print-prog-name=cc1plus"], text=True).strip()
    dotnet = os.path.join(root, "tools/benchmark/DotNetWork/bin/Release/net10.0/DotNetWork.dll")
    plain_malloc = {"PYTHONMALLOC": "malloc"}
    return [
        Workload("true", ["/usr/bin/true"]),
        Workload("loop, depth 10", [paths, "10", "1", size(1.2e7)]),
        Workload("loop, depth 10, 2 threads", [paths, "10", "2", size(6e6)]),
        Workload("loop, depth 50", [paths, "50", "1", size(8e6)]),
        Workload("loop, depth 200", [paths, "200", "1", size(5e6)]),
        Workload("random paths, depth 30", [paths, "30", "1", size(1e6), "random"]),
        Workload("python3 trees", ["/usr/bin/python3", file("trees.py", TREES), size(120)], plain_malloc),
        Workload("python3 json", ["/usr/bin/python3", file("json_trips.py", JSON), size(25)], plain_malloc),
        Workload("sqlite3", ["/usr/bin/sqlite3", ":memory:", ".read " + file("work.sql", SQL.format(rows=size(8e5)))]),
        Workload("g++ (cc1plus)", [cc1plus, "-quiet", "-imultiarch", "x86_64-linux-gnu", "-D_GNU_SOURCE", "-std=c++20",
                                   "-O1", file("templates.cpp", TEMPLATES), "-o", "/dev/null"]),
        Workload("redis", ["/usr/bin/redis-server", "--port", "7379", "--save", "", "--appendonly", "no"],
                 client=["redis-benchmark", "-p", "7379", "-q", "-t", "set,lpush,hset", "-n", size(1.5e5), "-r", "100000"],
                 port=7379, stop=["redis-cli", "-p", "7379", "shutdown", "nosave"]),
        Workload("node", ["node", file("work.js", NODE), size(30)]),
        Workload(".NET start", ["dotnet", dotnet, "hello"]),
        Workload(".NET NativeMemory", ["dotnet", dotnet, "loop", size(6e6)]),
        Workload("ASP.NET Core", ["dotnet", dotnet, "serve", "7380"],
                 client=["dotnet", dotnet, "ask", "7380", size(2e4)], port=7380, stop=["curl", "-s", "http://127.0.0.1:7380/stop"]),
    ]


def tools(root, work, trace):
    """All tools that are here."""
    libraries = "/usr/lib/x86_64-linux-gnu/"
    ours = [os.path.join(root, "out/native/nativeheap-launch"), "dotnet",
            os.path.join(root, "src/Cli/bin/Release/net10.0/nativeheap.dll"), "run", "-o", trace]
    found = [
        Tool("plain"),
        Tool("heaptrack", ["heaptrack", "-o", os.path.join(work, "heaptrack")]),
        Tool("jemalloc, sampled", environment={
            "LD_PRELOAD": libraries + "libjemalloc.so.2", "MALLOC_CONF": "prof:true,prof_prefix:" + work + "/je,lg_prof_sample:19"}),
        Tool("tcmalloc, sampled", environment={
            "LD_PRELOAD": libraries + "libtcmalloc.so.4", "TCMALLOC_SAMPLE_PARAMETER": "524288"}),
        Tool("NativeHeap", ours + ["--"], static_clock=False),
    ]
    sampled = ours + ["--sample", "512KiB", "--"]
    if subprocess.run(sampled[:5] + [trace + ".try", "--force"] + sampled[6:] + ["/usr/bin/true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        found.append(Tool("NativeHeap, sampled", sampled, static_clock=False))
    return found
