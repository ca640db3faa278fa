using System.CommandLine;
using NativeHeap.Collect.Checks;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>check</c>: what a program lost, at its end or now.</summary>
internal static class CheckVerb
{
    private static readonly Option<int?> Pid = new("--pid", "-p")
    {
        HelpName = "PID",
        Description = "A process that is being recorded, to be checked now.",
    };

    private static readonly Option<bool> SinceLast = new("--since-last")
    {
        Description = "Only what the check of the process before this one had not found.",
    };

    private static readonly Option<string> Level = new("--level")
    {
        HelpName = "normal|strict|draconian",
        Description = "Before exit handlers and destructors (normal, the default), after them (strict), or everything that was not freed (draconian).",
        DefaultValueFactory = _ => "normal",
    };

    private static readonly Option<string> ShowKinds = new("--show-kinds")
    {
        HelpName = "LIST",
        Description = "Kinds of leaks to show: definite,indirect,possible,reachable (default definite,possible).",
        DefaultValueFactory = _ => "definite,possible",
    };

    private static readonly Option<string> ErrorKinds = new("--errors-for-kinds")
    {
        HelpName = "LIST",
        Description = "Kinds that decide on the exit code (default definite,indirect).",
        DefaultValueFactory = _ => "definite,indirect",
    };

    private static readonly Option<int> ErrorCode = new("--error-exitcode")
    {
        HelpName = "N",
        Description = "Exit code when there are such leaks (default 23); 0: always the command's own.",
        DefaultValueFactory = _ => 23,
    };

    private static readonly SuppressionOptions Suppressions = new(
        "Leaks not to report: lines of LeakSanitizer (leak:PATTERN), blocks of valgrind, or both. May be given several times.",
        "Whether leaks are left out, too, that the C library is known for (src/Analysis/Suppressions/builtin.supp) or the program itself names by __lsan_default_suppressions (default yes).");

    private static readonly Option<string?> GenSuppressions = new("--gen-suppressions")
    {
        HelpName = "FILE",
        Description = "Write suppressions for the leaks that are shown; without FILE, into the report.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Json = new("--json") { HelpName = "FILE", Description = "Write it as JSON, too." };

    private static readonly Option<string?> JUnit = new("--junit")
    {
        HelpName = "FILE",
        Description = "Write it as JUnit XML, too: a test suite for each process, a failed test for each leak.",
    };

    private static readonly Option<string?> Output = new("--output", "-o")
    {
        HelpName = "TRACE",
        Description = "Keep the trace.",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace existing files." };

    private static readonly Option<long?> TimeLimit = Quantities.DurationOption(
        "--time-limit", "How long a check may hold a process (default 1m).");

    private static readonly Argument<string[]> Command = new("COMMAND")
    {
        Description = "The command and its arguments, after --.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Verb Create()
    {
        Level.AcceptOnlyFromAmong("normal", "strict", "draconian");
        var verb = new Verb(
            "check",
            "Finds memory that a program has lost, at its end or now.",
            "nativeheap check -- ./server --selftest",
            "nativeheap check --json leaks.json --show-kinds definite,indirect,possible -- python3 test.py",
            "nativeheap check --suppressions known.supp --gen-suppressions new.supp -- ./server --selftest",
            "nativeheap check -p 4711 --since-last")
        {
            Pid, SinceLast, Level, ShowKinds, ErrorKinds, ErrorCode, Suppressions.Files, Suppressions.Default, GenSuppressions,
            TimeLimit, Json, JUnit, Output, Force, Command,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result)
    {
        var plan = Plan(result);
        var hasCommand = result.GetValue(Command)!.Length > 0;
        if (result.GetValue(Pid) is { } pid)
        {
            return hasCommand
                ? throw new ToolException("give either -p PID or a command after --", ExitCodes.Usage)
                : CheckNow(pid, result.GetValue(SinceLast), plan);
        }

        if (!hasCommand)
        {
            throw new ToolException("give a command after --, as in: nativeheap check -- ./server; or -p PID", ExitCodes.Usage);
        }

        if (SampleSetting.FromEnvironment() != 0)
        {
            throw new ToolException(
                $"a heap-check needs every block, and {ShimSettings.Sample} asks for samples; unset it", ExitCodes.Usage);
        }

        return result.GetValue(SinceLast)
            ? throw new ToolException("--since-last goes with -p PID", ExitCodes.Usage)
            : CheckCommand(result, plan);
    }

    private static LeakPlan Plan(ParseResult result)
    {
        var code = result.GetValue(ErrorCode);
        var force = result.GetValue(Force);
        return new LeakPlan
        {
            ShownKinds = Kinds(result, ShowKinds),
            ErrorKinds = Kinds(result, ErrorKinds),
            ErrorExitCode = code is >= 0 and <= 255
                ? code
                : throw new ToolException("--error-exitcode is 0 to 255", ExitCodes.Usage),
            Suppressions = Suppressions.Read(result),
            Json = result.GetValue(Json) is { } file ? Present.OutputFile.Plan(file, force) : null,
            JUnit = result.GetValue(JUnit) is { } xml ? Present.OutputFile.Plan(xml, force) : null,
            Suggests = result.GetResult(GenSuppressions) is not null,
            Suggestions = result.GetValue(GenSuppressions) is { } list ? Present.OutputFile.Plan(list, force) : null,
        };
    }

    private static HashSet<LeakKind> Kinds(ParseResult result, Option<string> option)
    {
        var kinds = new HashSet<LeakKind>();
        foreach (var word in result.GetRequiredValue(option).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            kinds.Add(Present.LeakWords.Parse(word) ?? throw new ToolException(
                $"{option.Name}: '{word}' is none of definite, indirect, possible, reachable", ExitCodes.Usage));
        }

        return kinds;
    }

    private static int CheckNow(int pid, bool sinceLast, LeakPlan plan)
    {
        var trace = ControlClient.TracePath(pid); // first: nobody can be asked about a process that dies meanwhile
        return plan.Present(trace, ControlClient.Check(pid), pid, sinceLast);
    }

    private static int CheckCommand(ParseResult result, LeakPlan plan)
    {
        var output = result.GetValue(Output);
        var folder = output is null ? Directory.CreateTempSubdirectory("nativeheap-check-") : null;
        try
        {
            return new RunCommand
            {
                Command = RunVerb.CommandOf(result, Command, "check"),
                Output = output ?? Path.Combine(folder!.FullName, "check.nheap"),
                Force = result.GetValue(Force),
                Picture = null,
                Options = new SessionOptions
                {
                    Examiner = new HeapExaminer(),
                    Judge = plan.Judge,
                    CheckAtEnd = Enum.Parse<CheckLevel>(result.GetRequiredValue(Level), ignoreCase: true),
                    CheckTime = result.GetValue(TimeLimit) is { } limit
                        ? TimeSpan.FromMilliseconds(limit / 1e6)
                        : TimeSpan.FromMinutes(1),
                },
                Conclude = (link, trace) => Conclude(link, plan.Present(trace)),
            }.Run();
        }
        finally
        {
            folder?.Delete(recursive: true);
        }
    }

    private static int Conclude(SupervisorLink link, int code)
    {
        if (code != ExitCodes.Success)
        {
            link.Decide(code);
        }

        return code;
    }
}
