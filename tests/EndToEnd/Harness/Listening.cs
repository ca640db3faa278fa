using System.Diagnostics;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A collector that listens for programs that the test starts by itself.</summary>
internal sealed class Listening : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly Program _program;

    private Listening(Program program, string socket, string traces)
    {
        _program = program;
        Socket = socket;
        Traces = traces;
    }

    public string Socket { get; }

    /// <summary>The folder of its traces.</summary>
    public string Traces { get; }

    public int Pid => _program.Pid;

    /// <summary>What a program needs to be recorded.</summary>
    public Surroundings Around => new()
    {
        Environment = new Dictionary<string, string?>
        {
            ["LD_PRELOAD"] = Built.Shim,
            ["NATIVEHEAP_SOCKET"] = Socket,
        },
    };

    /// <summary>Starts one and waits until it listens.</summary>
    public static Listening Start(TempFolder folder, Surroundings? surroundings = null, params string[] options)
    {
        var listening = Begin(folder["s"], folder["traces"], surroundings, options);
        WaitUntil(() => listening.IsThere, "the collector does not listen");
        return listening;
    }

    /// <summary>Starts one that may be refused.</summary>
    public static Listening Begin(string socket, string traces, Surroundings? surroundings = null, params string[] options)
    {
        string[] command = ["dotnet", Built.Command, "listen", "--socket", socket, "-o", traces, .. options];
        return new Listening(Program.Start(command, surroundings), socket, traces);
    }

    /// <summary>Waits for something that it does by itself.</summary>
    public void Await(Func<bool> reached, string otherwise) => WaitUntil(
        () =>
        {
            Assert.False(_program.HasEnded, "the collector ended");
            return reached();
        },
        otherwise);

    internal static void WaitUntil(Func<bool> reached, string otherwise)
    {
        for (var clock = Stopwatch.StartNew(); !reached(); Thread.Yield())
        {
            Assert.True(clock.Elapsed < s_patience, otherwise);
        }
    }

    /// <summary>Whether somebody accepts connections, or it has ended.</summary>
    private bool IsThere
    {
        get
        {
            Assert.False(_program.HasEnded, "the collector ended");
            using var socket = new System.Net.Sockets.Socket(
                System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
            try
            {
                socket.Connect(new System.Net.Sockets.UnixDomainSocketEndPoint(Socket));
                return true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        }
    }

    /// <summary>Sends it a signal and waits for its end.</summary>
    public Outcome End(int signal = Signals.Terminate)
    {
        Signals.Send(_program.Pid, signal);
        return _program.Wait();
    }

    /// <summary>Waits for its end.</summary>
    public Outcome WaitForEnd() => _program.Wait();

    /// <summary>The trace of a program by its pid, once it is written whole.</summary>
    /// <param name="pid">The program's.</param>
    /// <param name="number">The trace's, where there are several: 1, 2, …</param>
    public string TraceOf(int pid, int number = 1)
    {
        var written = "";
        WaitUntil(() => (written = Find(pid, number)) != "" && IsClosed(written), $"no whole trace of {pid} in {Traces}");
        return written;
    }

    /// <summary>The number that a query gives to a program's trace as it is by now; 0 while there is nothing to ask.</summary>
    public long Number(int pid, string query)
    {
        try
        {
            return Find(pid) is { Length: > 0 } trace ? Database.Number(trace, query) : 0;
        }
        catch (SqliteException)
        {
            return 0; // no tables in it yet, or it is just being closed
        }
    }

    /// <summary>How many traces of a program there are.</summary>
    public int CountTraces(int pid)
    {
        var count = 0;
        while (Find(pid, count + 1) != "")
        {
            count++;
        }
        return count;
    }

    /// <summary>Reason and live bytes of each snapshot of a program up to now: "growth 4096|asked 8192".</summary>
    /// <param name="pid">The program's.</param>
    /// <param name="number">The trace's, where there are several: 1, 2, …</param>
    public string Snapshots(int pid, int number = 1)
    {
        if (Find(pid, number) is not { Length: > 0 } trace)
        {
            return "";
        }
        try
        {
            using var connection = new SqliteConnection($"Data Source={trace};Mode=ReadOnly;Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = """
                SELECT group_concat(line, '|') FROM (
                    SELECT reason || ' ' || (SELECT coalesce(sum(bytes), 0) FROM snapshot_total WHERE snapshot_id = id) AS line
                    FROM snapshot ORDER BY id)
                """;
            return command.ExecuteScalar() as string ?? "";
        }
        catch (SqliteException)
        {
            return ""; // no tables in it yet, or it is just being closed
        }
    }

    /// <summary>What <c>report --json</c> says of a program's trace, once it is written whole.</summary>
    public Report ReportOf(int pid) => Read(TraceOf(pid));

    /// <summary>What <c>report --json</c> says of a trace.</summary>
    public static Report Read(string trace)
    {
        string[] command = ["dotnet", Built.Command, "report", trace, "--json", "--top", "1000000"];
        var outcome = Program.Run(command).Expect(0);
        return Report.Parse(JsonDocument.Parse(outcome.Output).RootElement);
    }

    public void Dispose() => _program.Dispose();

    private string Find(int pid, int number = 1) => Directory.Exists(Traces)
        ? Directory.EnumerateFiles(Traces, number == 1 ? $"*.{pid}.nheap" : $"*.{pid}-{number}.nheap").SingleOrDefault("")
        : "";

    /// <summary>Whether a trace has been written to its end.</summary>
    internal static bool IsClosed(string trace)
    {
        const int Error = 1, Busy = 5, CannotOpen = 14;
        try
        {
            using var connection = new SqliteConnection($"Data Source={trace};Mode=ReadOnly;Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT count(*) FROM meta WHERE key = 'end_ns'";
            return command.ExecuteScalar() is 1L;
        }
        catch (SqliteException error) when (error.SqliteErrorCode is Error or Busy or CannotOpen)
        {
            return false; // no tables in it yet
        }
    }
}
