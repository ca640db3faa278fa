using System.Diagnostics;

namespace NativeHeap.EndToEnd.Attaching;

/// <summary>Servers that are attached to and detached from while they are busy answer every request.</summary>
[Trait("repeated", "yes")]
public sealed class AttachedServersTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Redis_under_its_benchmark()
    {
        var socket = _folder["redis.sock"];
        using var server = Program.Start(
            ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", _folder.Path]);
        Await(server, () => Program.Run(["redis-cli", "-s", socket, "ping"]).Output == "PONG\n");
        Load(server, "by ptrace", () =>
        {
            var answers = Program.Run(["redis-benchmark", "-s", socket, "-n", "20000", "-c", "10", "-q", "-t", "set,lpush,lpop"]).Expect(0);
            Assert.DoesNotContain("rror", answers.Output + answers.Errors);
        });
        Program.Run(["redis-cli", "-s", socket, "shutdown", "nosave"]);
        server.Wait().Expect(0);
    }

    [Fact]
    public void Node_with_a_web_server()
    {
        const string Script =
            """
            const body = n => Array.from({ length: 500 }, (_, i) => 'line ' + i * n).join('\n');
            require('http').createServer((request, answer) => {
              const kept = Buffer.alloc(20000, request.url);
              answer.end(body(+request.url.slice(1)) + kept.subarray(0, 0).toString());
            }).listen(process.argv[1]);
            process.on('SIGTERM', () => process.exit(7));
            """;
        var socket = _folder["node.sock"];
        using var server = Program.Start(["node", "-e", Script, socket]);
        Requests(server, socket, "by ptrace", "/", n => string.Join('\n', Enumerable.Range(0, 500).Select(i => $"line {i * n}")));
        Signals.Send(server.Pid, Signals.Terminate);
        server.Wait().Expect(7);
    }

    [Fact]
    public void Python_with_a_web_server_of_threads()
    {
        const string Script =
            """
            import http.server, socketserver, sys, signal, os
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    n = int(self.path[1:])
                    body = '\n'.join('line %d' % (i * n) for i in range(500)).encode()
                    self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()
                    self.wfile.write(body)
                def log_message(self, *words): pass
                def address_string(self): return ''
            class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
            signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
            Server(sys.argv[1], Handler).serve_forever()
            """;
        var socket = _folder["python.sock"];
        using var server = Program.Start(["/usr/bin/python3", "-c", Script, socket]);
        Requests(server, socket, "by ptrace", "/", n => string.Join('\n', Enumerable.Range(0, 500).Select(i => $"line {i * n}")));
        Signals.Send(server.Pid, Signals.Terminate);
        server.Wait().Expect(7);
    }

    [Fact]
    public void Asp_net_core_by_its_diagnostic_port_and_without_one_by_ptrace_and_methods_from_before_have_names()
    {
        var application = WebApplication.Build(_folder);
        foreach (var (diagnostics, way) in (ReadOnlySpan<(string, string)>)[("1", "by its diagnostic port"), ("0", "by ptrace")])
        {
            var socket = _folder[$"web{diagnostics}.sock"];
            using var server = Program.Start(
                ["dotnet", application, "--urls", $"http://unix:{socket}"],
                new Surroundings { Environment = new Dictionary<string, string?> { ["DOTNET_EnableDiagnostics"] = diagnostics } });
            string[] keep = ["curl", "-s", "--unix-socket", socket, "http://localhost/keep/3"];
            Await(server, () => Program.Run(keep).Output == "3"); // compiled before the attach
            using (var attachment = Attachment.Cycle(_folder, server.Pid, () => Program.Run(keep).Expect(0)))
            {
                Assert.Contains(way, attachment.Said, StringComparison.Ordinal);
                // Without diagnostics names are a matter of luck: ClrMD may come too late to see the code.
                var kept = attachment.Report().Stacks.Where(stack => stack.Bytes == stack.Blocks * 4711).ToList();
                Assert.Equal((way, 3), (way, kept.Sum(stack => stack.Blocks)));
                Assert.Equal((way, true), (way, kept.TrueForAll(stack => stack.Frames.Any(
                    frame => frame.Function?.StartsWith("Warehouse.Keep(", StringComparison.Ordinal) == true)) || diagnostics == "0"));
            }
            Requests(server, socket, way, "/hello/", WebApplication.Hello, keep);
            Signals.Send(server.Pid, Signals.Terminate);
            server.Wait().Expect(0); // a graceful stop
        }
    }

    // A server that has warmed up may allocate nothing for a request: ALLOCATING, when given, is a command that makes it do so.
    private void Requests(
        Program server, string socket, string way, string path, Func<int, string> answer, string[]? allocating = null)
    {
        const int AtOnce = 50;
        Await(server, () => Program.Run(["curl", "-s", "--unix-socket", socket, $"http://localhost{path}1"]).Output == answer(1));
        var expected = string.Concat(Enumerable.Range(1, AtOnce).Select(answer));
        string[] get = ["curl", "-s", "--unix-socket", socket, $"http://localhost{path}[1-{AtOnce}]"];
        Load(
            server,
            way,
            () => Assert.Equal(expected, Program.Run(get).Expect(0).Output),
            () => _ = allocating is null ? null : Program.Run(allocating).Expect(0));
    }

    // Attaches and detaches again and again while requests are made, each time with at least one round of them.
    private void Load(Program server, string way, Action requests, Action? once = null)
    {
        using var over = new CancellationTokenSource();
        using var answered = new SemaphoreSlim(0);
        var load = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                requests();
                answered.Release();
            }
        });
        for (var i = 0; i < Cycles.Count; i++)
        {
            using var attachment = Attachment.Cycle(_folder, server.Pid, () =>
            {
                while (answered.Wait(0))
                {
                    // what was answered before counts for nothing
                }
                for (var round = 0; round < 2; round++)
                {
                    Assert.True(answered.Wait(s_patience), $"no answers: {load.Exception}");
                }
                once?.Invoke();
            });
            Assert.Contains(way, attachment.Said, StringComparison.Ordinal);
            Assert.DoesNotContain("warning", attachment.Said, StringComparison.Ordinal);
            var report = attachment.Report();
            Assert.True(report.Totals.Sums.Allocations > 0 && report.LostEvents == 0);
            File.Delete(attachment.TracePath);
        }
        over.Cancel();
        load.GetAwaiter().GetResult();
        Assert.False(server.HasEnded);
    }

    private static void Await(Program server, Func<bool> ready)
    {
        for (var clock = Stopwatch.StartNew(); !ready(); Thread.Yield())
        {
            Assert.False(server.HasEnded, "it ended before it was ready");
            Assert.True(clock.Elapsed < s_patience, "it does not get ready");
        }
    }
}
