namespace NativeHeap.EndToEnd.Programs;

/// <summary>Servers answer the same under the profiler, and end when they are told to.</summary>
public sealed class ServersTests : IDisposable
{
    private const int Interrupt = 2, Quit = 3, Terminate = 15;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Redis_serves_its_benchmark()
    {
        var socket = _folder["redis.sock"];
        using var trace = Recording.Start(
            _folder, ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", _folder.Path]);
        trace.Await(() => Program.Run(["redis-cli", "-s", socket, "ping"]).Output == "PONG\n");
        var benchmark = Program.Run(
            ["redis-benchmark", "-s", socket, "-n", "20000", "-c", "20", "-q", "-t", "set,get,lpush,zadd,mset"]).Expect(0);
        Assert.Equal(5, benchmark.Output.Split('\n').Count(line => line.Contains("requests per second", StringComparison.Ordinal)));
        Assert.DoesNotContain("rror", benchmark.Output + benchmark.Errors);
        Program.Run(["redis-cli", "-s", socket, "set", "k", "v"]).Expect(0);
        Assert.Equal("v\n", Program.Run(["redis-cli", "-s", socket, "get", "k"]).Output);
        Program.Run(["redis-cli", "-s", socket, "shutdown", "nosave"]);
        trace.Outcome.Expect(0);
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
        Assert.True(trace.Report.Totals.Sums.Allocations > 20000);
    }

    [Fact]
    public void Nginx_with_forked_workers_answers_requests_and_quits()
    {
        const int Requests = 300;
        var socket = _folder["nginx.sock"];
        var body = string.Concat(Enumerable.Range(0, 5000).Select(i => $"line {i}\n"));
        _folder.Write("www/index.txt", body);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF);
        var configuration = _folder.Write(
            "nginx.conf",
            $$"""
            daemon off; worker_processes 3; pid {{_folder["nginx.pid"]}}; error_log stderr notice;
            events { worker_connections 64; }
            http {
              access_log off; gzip on; gzip_types text/plain; gzip_min_length 1;
              client_body_temp_path {{_folder["t1"]}}; proxy_temp_path {{_folder["t2"]}}; fastcgi_temp_path {{_folder["t3"]}};
              uwsgi_temp_path {{_folder["t4"]}}; scgi_temp_path {{_folder["t5"]}};
              server { listen unix:{{socket}}; root {{_folder["www"]}}; }
            }
            """);
        using var trace = Recording.Start(_folder, ["nginx", "-e", "stderr", "-c", configuration]);
        string[] get = ["curl", "-s", "--compressed", "--unix-socket", socket, $"http://localhost/index.txt?[1-{Requests}]"];
        trace.Await(() => Program.Run(["curl", "-s", "--unix-socket", socket, "http://localhost/index.txt"]).ExitCode == 0);
        var answers = Program.Run(get).Expect(0);
        Assert.Equal(Requests * body.Length, answers.Output.Length);
        Assert.Equal(string.Concat(Enumerable.Repeat(body, Requests)), answers.Output);

        Signals.Send(trace.Pid, Quit); // as a service manager would, to the process it started
        trace.Outcome.Expect(0);
        Assert.Equal(4, trace.Report.Processes.Count); // a master and its workers
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
        Assert.All(trace.Report.Processes, process => Assert.True(process.Totals.Sums.Allocations > 0));
    }

    [Fact]
    public void A_dotnet_web_application_answers_requests()
    {
        const int Requests = 200;
        var socket = _folder["web.sock"];
        var application = WebApplication.Build(_folder);
        using var trace = Recording.Start(_folder, ["dotnet", application, "--urls", $"http://unix:{socket}"]);
        trace.Await(() => Program.Run(["curl", "-s", "--unix-socket", socket, "http://localhost/hello/x"]).ExitCode == 0);
        var answers = Program.Run(
            ["curl", "-s", "--unix-socket", socket, $"http://localhost/hello/[1-{Requests}]"]).Expect(0);
        var expected = string.Concat(Enumerable.Range(1, Requests).Select(WebApplication.Hello));
        Assert.Equal(expected, answers.Output);

        Signals.Send(trace.Pid, Terminate);
        trace.Outcome.Expect(0); // a graceful stop
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
    }

    [Fact]
    public void A_signal_to_what_the_shell_started_reaches_the_target()
    {
        var ready = _folder["ready"];
        using var trace = Recording.Start(
            _folder, ["sh", "-c", $"trap 'echo told; exit 9' INT; touch {ready}; while :; do sleep 0.05; done"]);
        trace.Await(() => File.Exists(ready));
        Signals.Send(trace.Pid, Interrupt);
        Assert.Equal("told\n", trace.Outcome.Expect(9).Output);
    }
}
