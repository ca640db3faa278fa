using System.CommandLine;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>sql</c>: a question of the user's own to a trace.</summary>
internal static class SqlVerb
{
    public static Verb Create()
    {
        var trace = new Argument<string>("TRACE") { Description = "The trace; it may still be recorded to." };
        var query = new Argument<string>("QUERY")
        {
            Description = "One SELECT statement; the tables are in docs/trace-format.md, useful queries in docs/queries.md.",
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var csv = new Option<bool>("--csv") { Description = "Print CSV." };
        var verb = new Verb(
            "sql",
            "Asks a trace in SQL; nothing in it is changed.",
            "nativeheap sql server.nheap \"SELECT pid, allocations FROM process\"",
            "nativeheap sql server.nheap \"SELECT * FROM timeline\" --csv")
        {
            trace, query, json, csv,
        };
        verb.SetAction(arguments =>
        {
            if (arguments.GetValue(json) && arguments.GetValue(csv))
            {
                throw new ToolException("--json and --csv do not go together", ExitCodes.Usage);
            }
            if (TraceReference.Parse(arguments.GetRequiredValue(trace)) is { Moment: { } moment })
            {
                throw new ToolException(
                    $"a query is about all of a trace, not @{moment}; see the table snapshot_total", ExitCodes.Usage);
            }
            WarnOfEstimates(arguments.GetRequiredValue(trace));
            using var answer = TraceQuery.Open(arguments.GetRequiredValue(trace), arguments.GetRequiredValue(query));
            Print(answer, arguments.GetValue(json), arguments.GetValue(csv));
            return ExitCodes.Success;
        });
        return verb;
    }

    // Rows of a user's own making cannot be marked.
    private static void WarnOfEstimates(string trace)
    {
        using var reader = TraceReader.Open(trace);
        if (!reader.Info.Exact)
        {
            Messages.Warn("the trace was sampled: its figures are estimates");
        }
    }

    private static void Print(TraceQuery answer, bool json, bool csv)
    {
        using var stream = Console.OpenStandardOutput();
        if (json)
        {
            QueryOutput.WriteJson(stream, answer);
            return;
        }
        using var output = new StreamWriter(stream, bufferSize: 1 << 16);
        if (csv)
        {
            QueryOutput.WriteCsv(output, answer);
        }
        else
        {
            QueryOutput.WriteTable(TextCanvas.ForStandardOutput(output), answer);
        }
    }
}
