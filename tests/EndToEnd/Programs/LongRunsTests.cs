using System.Globalization;

namespace NativeHeap.EndToEnd.Programs;

/// <summary>Servers under load for ten minutes each (NATIVEHEAP_TEST_MINUTES): every request is answered, nothing is lost, and
/// the collector's memory is flat.</summary>
[Trait("long", "yes")]
public sealed class LongRunsTests : IDisposable
{
    private const int Interrupt = 2, Quit = 3, Terminate = 15;
    private const string Postgres = "/usr/lib/postgresql/15/bin/";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public void Redis()
    {
        var socket = _folder["redis.sock"];
        string[] server = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", _folder.Path];
        using var trace = Recording.Start(_folder, server);
        trace.Await(() => Program.Run(["redis-cli", "-s", socket, "ping"]).Output == "PONG\n");
        string[] benchmark = ["redis-benchmark", "-s", socket, "-n", "20000", "-r", "10000", "-c", "20", "-q", "-t", "set,get,lpush,lpop,zadd"];
        LongRun.Load(trace, () =>
        {
            var answers = Program.Run(benchmark).Expect(0);
            Assert.Equal(5, answers.Output.Split('\n').Count(line => line.Contains("requests per second", StringComparison.Ordinal)));
            Assert.DoesNotContain("rror", answers.Output + answers.Errors);
        });
        Program.Run(["redis-cli", "-s", socket, "shutdown", "nosave"]);
        trace.Outcome.Expect(0);
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Nginx()
    {
        var socket = _folder["nginx.sock"];
        var body = string.Concat(Enumerable.Range(0, 2000).Select(i => $"line {i}\n"));
        _folder.Write("www/index.txt", body);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF);
        var configuration = _folder.Write(
            "nginx.conf",
            $$"""
            daemon off; worker_processes 2; pid {{_folder["nginx.pid"]}}; error_log stderr notice;
            events { worker_connections 64; }
            http {
              access_log off; gzip on; gzip_types text/plain; gzip_min_length 1;
              client_body_temp_path {{_folder["t1"]}}; proxy_temp_path {{_folder["t2"]}}; fastcgi_temp_path {{_folder["t3"]}};
              uwsgi_temp_path {{_folder["t4"]}}; scgi_temp_path {{_folder["t5"]}};
              server { listen unix:{{socket}}; root {{_folder["www"]}}; }
            }
            """);
        using var trace = Recording.Start(_folder, ["nginx", "-e", "stderr", "-c", configuration]);
        Requests(trace, socket, "/index.txt?", _ => body);
        Signals.Send(trace.Pid, Quit);
        trace.Outcome.Expect(0);
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Postgres_with_its_benchmark()
    {
        Tool.Need("setpriv");
        Directory.CreateDirectory(_folder["data"]);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF);
        File.SetUnixFileMode(_folder["data"], (UnixFileMode)0x1FF);
        var user = new Surroundings { Wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] };
        Program.Run([Postgres + "initdb", "-D", _folder["data/db"], "-A", "trust", "-U", "nobody", "--no-sync"], user).Expect(0);
        using var trace = Recording.Start(
            _folder, [Postgres + "postgres", "-D", _folder["data/db"], "-k", _folder.Path, "-c", "listen_addresses="], user);
        trace.Await(() => Program.Run([Postgres + "pg_isready", "-h", _folder.Path, "-d", "postgres"]).ExitCode == 0);
        string[] benchmark = [Postgres + "pgbench", "-h", _folder.Path, "-U", "nobody"];
        Program.Run([.. benchmark, "-i", "-q", "postgres"]).Expect(0);
        LongRun.Load(trace, () => Assert.Contains(
            "number of failed transactions: 0 (0.000%)",
            Program.Run([.. benchmark, "-n", "-C", "-c", "4", "-t", "25", "postgres"]).Expect(0).Output, // a process for each transaction
            StringComparison.Ordinal));
        Signals.Send(trace.Pid, Interrupt);
        trace.Outcome.Expect(0);
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Python_with_multiprocessing()
    {
        const string Script =
            """
            import json, multiprocessing, sys, time
            def work(n):
                return sum(len(json.loads(json.dumps([{'a': i, 'b': [str(i)] * 5} for i in range(n)]))) for _ in range(5))
            if __name__ == '__main__':
                end = time.monotonic() + int(sys.argv[1])
                with multiprocessing.Pool(2, maxtasksperchild=40) as pool:
                    while time.monotonic() < end:
                        assert pool.map(work, range(100)) == [5 * n for n in range(100)]
                    pool.close()
                    pool.join()
                print('right')
            """;
        var seconds = LongRun.Seconds.ToString(CultureInfo.InvariantCulture);
        using var trace = Recording.Start(_folder, ["/usr/bin/python3", _folder.Write("work.py", Script), seconds]);
        LongRun.Watch(trace);
        Assert.Equal("right\n", trace.Outcome.Expect(0).Output);
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Node_with_a_cluster()
    {
        const string Script =
            """
            const cluster = require('cluster');
            if (cluster.isPrimary) {
              for (let i = 0; i < 2; i++) cluster.fork();
              process.on('SIGTERM', () => { for (const id in cluster.workers) cluster.workers[id].kill(); process.exitCode = 7; });
            } else {
              require('http').createServer((request, answer) => {
                const n = +request.url.slice(1);
                answer.end(Array.from({ length: 200 }, (_, i) => 'line ' + i * n).join('\n'));
              }).listen(process.argv[2]);
            }
            """;
        var socket = _folder["node.sock"];
        using var trace = Recording.Start(_folder, ["node", _folder.Write("cluster.js", Script), socket]);
        Requests(trace, socket, "/", n => string.Join('\n', Enumerable.Range(0, 200).Select(i => $"line {i * n}")));
        Signals.Send(trace.Pid, Terminate);
        trace.Outcome.Expect(7);
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Java_with_a_web_server()
    {
        const string Source =
            """
            import com.sun.net.httpserver.HttpServer;
            import java.net.InetSocketAddress;
            import java.nio.file.*;
            import java.util.zip.*;
            public class Server {
              public static void main(String[] arguments) throws Exception {
                HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
                server.createContext("/", exchange -> {
                  int n = Integer.parseInt(exchange.getRequestURI().getPath().substring(1));
                  StringBuilder text = new StringBuilder();
                  for (int i = 0; i < 200; i++) text.append("line ").append(i * n).append('\n');
                  byte[] plain = text.toString().getBytes();
                  Deflater deflater = new Deflater(); // of native memory
                  deflater.setInput(plain);
                  deflater.finish();
                  byte[] packed = new byte[plain.length + 100];
                  int length = deflater.deflate(packed);
                  deflater.end();
                  Inflater inflater = new Inflater();
                  inflater.setInput(packed, 0, length);
                  byte[] again = new byte[plain.length];
                  try { inflater.inflate(again); } catch (DataFormatException wrong) { again = new byte[0]; }
                  inflater.end();
                  exchange.sendResponseHeaders(200, again.length);
                  exchange.getResponseBody().write(again);
                  exchange.close();
                });
                server.start();
                Path port = Path.of(arguments[0]);
                Files.writeString(Path.of(arguments[0] + ".part"), "" + server.getAddress().getPort());
                Files.move(Path.of(arguments[0] + ".part"), port);
              }
            }
            """;
        var port = _folder["port"];
        Program.Run(["javac", "-d", _folder.Path, _folder.Write("Server.java", Source)]).Expect(0);
        using var trace = Recording.Start(_folder, ["java", "-Dsun.net.httpserver.nodelay=true", "-cp", _folder.Path, "Server", port]);
        trace.Await(() => File.Exists(port));
        var expected = string.Concat(Enumerable.Range(1, 50).Select(n => string.Concat(Enumerable.Range(0, 200).Select(i => $"line {i * n}\n"))));
        string[] get = ["curl", "-s", $"http://127.0.0.1:{File.ReadAllText(port)}/[1-50]"];
        LongRun.Load(trace, () => Assert.Equal(expected, Program.Run(get).Expect(0).Output));
        Signals.Send(trace.Pid, Terminate);
        trace.Outcome.Expect(128 + Terminate); // which is java's own exit code, too
        LongRun.AssertWhole(trace);
    }

    [Fact(Explicit = true)]
    public void Asp_net_core()
    {
        var socket = _folder["web.sock"];
        using var trace = Recording.Start(_folder, ["dotnet", WebApplication.Build(_folder), "--urls", $"http://unix:{socket}"]);
        Requests(trace, socket, "/hello/", WebApplication.Hello);
        Signals.Send(trace.Pid, Terminate);
        trace.Outcome.Expect(0);
        LongRun.AssertWhole(trace);
    }

    private static void Requests(Recording trace, string socket, string path, Func<int, string> answer)
    {
        const int AtOnce = 100;
        string[] curl = ["curl", "-s", "--compressed", "--unix-socket", socket];
        trace.Await(() => Program.Run([.. curl, $"http://localhost{path}1"]).Output == answer(1));
        var expected = string.Concat(Enumerable.Range(1, AtOnce).Select(answer));
        LongRun.Load(trace, () => Assert.Equal(expected, Program.Run([.. curl, $"http://localhost{path}[1-{AtOnce}]"]).Expect(0).Output));
    }
}
