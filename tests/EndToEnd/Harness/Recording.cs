using System.Diagnostics;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A command run under the profiler, and its trace.</summary>
internal sealed class Recording : IDisposable
{
    private readonly Program _program;
    private readonly Dictionary<string, Report> _reports = [];
    private Outcome? _outcome;
    private Report? _report;

    private Recording(Program program, string trace)
    {
        _program = program;
        TracePath = trace;
    }

    public string TracePath { get; }

    /// <summary>The supervisor's pid: what the user's shell started.</summary>
    public int Pid => _program.Pid;

    public bool HasEnded => _program.HasEnded;

    /// <summary>Ends the command's standard input.</summary>
    public void EndInput() => _program.EndInput();

    /// <summary>How it ended; waits for the end.</summary>
    public Outcome Outcome => _outcome ??= _program.Wait();

    /// <summary>Waits for a server; fails when it ends before, or takes longer than a minute.</summary>
    public void Await(Func<bool> ready)
    {
        var clock = Stopwatch.StartNew();
        while (!ready())
        {
            Assert.False(HasEnded, $"it ended before it was ready: {(HasEnded ? Outcome : null)}");
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(1), "it does not get ready");
            Thread.Yield();
        }
    }

    /// <summary>What <c>report --json</c> says of the trace; waits for the end.</summary>
    public Report Report => _report ??= ReadReport();

    /// <summary>Starts the profiler as tools/nativeheap does, with the trace in a folder of the test.</summary>
    public static Recording Start(
        TempFolder folder, IReadOnlyList<string> command, Surroundings? surroundings = null, params string[] options)
    {
        var trace = folder[$"{Guid.NewGuid():N}.nheap"];
        string[] all = [Built.Supervisor, "dotnet", Built.Command, "run", "-o", trace, .. options, "--", .. command];
        return new Recording(Program.Start(all, surroundings), trace);
    }

    /// <summary>The same, to its end.</summary>
    public static Recording Run(
        TempFolder folder, IReadOnlyList<string> command, Surroundings? surroundings = null, params string[] options)
    {
        var recording = Start(folder, command, surroundings, options);
        _ = recording.Outcome;
        return recording;
    }

    /// <summary>The report by another measure.</summary>
    public Report ReportBy(string measure)
    {
        if (!_reports.TryGetValue(measure, out var report))
        {
            _reports[measure] = report = ReadReport("--by", measure);
        }
        return report;
    }

    /// <summary>Rows of a query to the file as it is, each a list of its columns.</summary>
    public IReadOnlyList<IReadOnlyList<object?>> Query(string sql)
    {
        _ = Outcome;
        return Database.Read(TracePath, sql);
    }

    /// <summary>Rows of a query by the command's own verb, which also sees the tables that are packed.</summary>
    public IReadOnlyList<IReadOnlyList<object?>> Ask(string sql)
    {
        _ = Outcome;
        using var json = JsonDocument.Parse(Program.Run(["dotnet", Built.Command, "sql", TracePath, sql, "--json"]).Expect(0).Output);
        return
        [
            .. json.RootElement.GetProperty("rows").EnumerateArray().Select(row => (IReadOnlyList<object?>)[
                .. row.EnumerateArray().Select(value => value.ValueKind switch
                {
                    JsonValueKind.Number => value.TryGetInt64(out var number) ? number : (object)value.GetDouble(),
                    JsonValueKind.String => value.GetString(),
                    _ => (object?)null,
                })]),
        ];
    }

    /// <summary>Allocations of the first process as of the trace's last commit, 0 before; while it runs.</summary>
    public long CommittedAllocations() => Committed("SELECT allocations FROM process WHERE id = 1");

    /// <summary>A number as of the trace's last commit, 0 before; while it runs.</summary>
    public long Committed(string sql)
    {
        const int Error = 1, Busy = 5, CannotOpen = 14;
        try
        {
            using var connection = new SqliteConnection($"Data Source={TracePath};Mode=ReadOnly;Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The tests' own words.
            command.CommandText = sql;
#pragma warning restore CA2100
            return command.ExecuteScalar() as long? ?? 0;
        }
        catch (SqliteException error) when (error.SqliteErrorCode is Error or Busy or CannotOpen)
        {
            return 0; // no file, or no tables in it yet
        }
    }

    public void Dispose() => _program.Dispose();

    private Report ReadReport(params string[] options)
    {
        _ = Outcome;
        Assert.True(File.Exists(TracePath), $"there is no trace; the profiler said: {Outcome.Errors}");
        string[] command = ["dotnet", Built.Command, "report", TracePath, "--json", "--top", "1000000", .. options];
        var outcome = Program.Run(command).Expect(0);
        return Report.Parse(JsonDocument.Parse(outcome.Output).RootElement);
    }
}
