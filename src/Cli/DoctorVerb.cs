using System.CommandLine;
using NativeHeap.Collect.Diagnosis;
using NativeHeap.Collect.Launching;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Symbols;

namespace NativeHeap.Cli;

/// <summary><c>doctor</c>: what will and will not work here, and why.</summary>
internal static class DoctorVerb
{
    private static readonly Option<int?> Pid = new("--pid", "-p")
    {
        HelpName = "PID",
        Description = "Also say whether this process is being recorded, and whether it can be attached to.",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON document." };

    private static readonly Argument<string[]> Command = new("COMMAND")
    {
        Description = "Also say whether this command can be profiled; its arguments do not matter.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Verb Create()
    {
        var verb = new Verb(
            "doctor",
            "Says what will and will not work here, and why.",
            "nativeheap doctor",
            "nativeheap doctor -- ./server --port 8080",
            "nativeheap doctor -p 4711 --json")
        {
            Pid, Json, Command,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        var command = arguments.GetValue(Command) ?? [];
        var pid = arguments.GetValue(Pid);
        if (pid is not null && command.Length > 0)
        {
            throw new ToolException("a pid or a command, not both", ExitCodes.Usage);
        }

        if (pid <= 0)
        {
            throw new ToolException("--pid must be more than 0", ExitCodes.Usage);
        }

        var report = Examine(command, pid);
        if (arguments.GetValue(Json))
        {
            using var output = Console.OpenStandardOutput();
            DoctorJson.Write(output, report);
        }
        else
        {
            using var output = new StreamWriter(Console.OpenStandardOutput());
            DoctorText.Write(TextCanvas.ForStandardOutput(output), report);
        }

        return report.Works ? ExitCodes.Success : ExitCodes.Target;
    }

    private static DoctorReport Examine(string[] command, int? pid)
    {
        var shim = NativeFiles.Locate(AppContext.BaseDirectory).Shim;
        return new DoctorReport(
            [
                .. ShimDiagnosis.Examine(shim),
                .. HostDiagnosis.Examine(),
                .. SymbolsDiagnosis.Examine(new SymbolizerOptions()),
                .. command.Length > 0 ? (Finding[])[CommandFinding(command, shim)] : [],
            ],
            pid is { } number ? ProcessDiagnosis.Examine(number, shim) : null);
    }

    private static Finding CommandFinding(string[] command, string shim)
    {
        const string name = "command";
        try
        {
            var result = Preflight.Check(command, new PreflightOptions { ShimPath = shim });
            var by = string.Concat(result.Interpreters.Select(interpreter => $", run by {interpreter},"));
            return Finding.Ok(name, $"{result.File}{by} can be profiled");
        }
        catch (ToolException error)
        {
            return Finding.Fails(name, error.Message);
        }
    }
}

/// <summary>What doctor found.</summary>
/// <param name="Findings">About this machine and a command.</param>
/// <param name="Process">About a process; null when none was asked about.</param>
internal sealed record DoctorReport(IReadOnlyList<Finding> Findings, ProcessDiagnosis? Process)
{
    /// <summary>True when nothing stands in the way of profiling.</summary>
    public bool Works => Findings.All(finding => finding.State != FindingState.Fails);
}
