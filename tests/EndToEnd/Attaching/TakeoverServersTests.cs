using System.Diagnostics;

namespace NativeHeap.EndToEnd.Attaching;

/// <summary>Servers whose collector is killed and started again answer every request, and are recorded on.</summary>
public sealed class TakeoverServersTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Asp_net_core_by_its_diagnostic_port_and_methods_from_before_have_names()
    {
        var socket = _folder["web.sock"];
        string[] keep = ["curl", "-s", "--unix-socket", socket, "http://localhost/keep/3"];
        var application = WebApplication.Build(_folder);
        using var first = Listening.Start(_folder);
        using var server = Program.Start(["dotnet", application, "--urls", $"http://unix:{socket}"], first.Around);
        Await(server, () => Program.Run(keep).Output == "3"); // compiled before the collector is killed
        first.End(Signals.Kill);
        Program.Run(keep).Expect(0);
        using var next = Successor.Start(_folder);
        Assert.Contains("by its diagnostic port", next.AwaitTakeover(server.Pid), StringComparison.Ordinal);
        Assert.Equal("33", Program.Run(keep).Output + Program.Run(keep).Output);
        Signals.Send(server.Pid, Signals.Terminate);
        server.Wait().Expect(0); // a graceful stop

        var report = Listening.Read(next.Collector.TraceOf(server.Pid, 2));
        Assert.True(report is { Complete: true, LostEvents: 0 });
        var kept = report.Stacks.Where(stack => stack.Bytes == stack.Blocks * 4711).ToList();
        Assert.Equal(6, kept.Sum(stack => stack.Blocks));
        Assert.All(kept, stack => Assert.True(stack.Goes("Warehouse.Keep("), stack.ToString()));
        Assert.DoesNotContain("warning", next.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void Nginx_with_a_master_and_workers_gets_one_trace_and_its_environment_is_written_over()
    {
        const int Quit = 3, Requests = 50;
        var socket = _folder["nginx.sock"];
        var body = string.Concat(Enumerable.Range(0, 5000).Select(i => $"line {i}\n"));
        _folder.Write("www/index.txt", body);
        var user = Environment.IsPrivilegedProcess ? "user root;" : ""; // what has become another user is not taken over
        var configuration = _folder.Write(
            "nginx.conf",
            $$"""
            {{user}} daemon off; worker_processes 2; pid {{_folder["nginx.pid"]}}; error_log stderr notice;
            events { worker_connections 64; }
            http {
              access_log off; gzip on; gzip_types text/plain; gzip_min_length 1;
              client_body_temp_path {{_folder["t1"]}}; proxy_temp_path {{_folder["t2"]}}; fastcgi_temp_path {{_folder["t3"]}};
              uwsgi_temp_path {{_folder["t4"]}}; scgi_temp_path {{_folder["t5"]}};
              server { listen unix:{{socket}}; root {{_folder["www"]}}; }
            }
            """);
        string[] get = ["curl", "-s", "--compressed", "--unix-socket", socket, $"http://localhost/index.txt?[1-{Requests}]"];
        var expected = string.Concat(Enumerable.Repeat(body, Requests));
        using var first = Listening.Start(_folder);
        using var server = Program.Start(["nginx", "-e", "stderr", "-c", configuration], first.Around);
        Await(server, () => Program.Run(["curl", "-s", "--unix-socket", socket, "http://localhost/index.txt"]).ExitCode == 0);
        first.End(Signals.Kill);
        Assert.Equal(expected, Program.Run(get).Expect(0).Output);
        using var next = Successor.Start(_folder);
        next.AwaitTakeover(server.Pid);
        foreach (var (worker, _) in Signals.ChildrenOf(server.Pid))
        {
            next.AwaitTakeover(worker);
        }
        Assert.Equal(expected, Program.Run(get).Expect(0).Output);
        Signals.Send(server.Pid, Quit);
        server.Wait().Expect(0);

        var report = Listening.Read(next.Collector.TraceOf(server.Pid, 2));
        Assert.Equal(3, report.Processes.Count);
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.True(report.Totals.Sums.Allocations > Requests);
        Assert.DoesNotContain("warning", next.Said, StringComparison.Ordinal);
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
