using NativeHeap.Analysis;
using NativeHeap.Analysis.Suppressions;
using NativeHeap.Collect.Checks;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Present;

namespace NativeHeap.Cli;

/// <summary>What becomes of a heap-check: how it is shown, and which exit code it means.</summary>
internal sealed record LeakPlan
{
    private const int MostShown = 50;

    /// <summary>Kinds of leaks that are shown.</summary>
    public required IReadOnlySet<LeakKind> ShownKinds { get; init; }

    /// <summary>Kinds that decide on the exit code.</summary>
    public required IReadOnlySet<LeakKind> ErrorKinds { get; init; }

    /// <summary>The exit code then; 0: never.</summary>
    public required int ErrorExitCode { get; init; }

    /// <summary>Leaks that are not to be reported.</summary>
    public required LeakSuppressions Suppressions { get; init; }

    /// <summary>Where the JSON goes; null: nowhere.</summary>
    public required OutputFile? Json { get; init; }

    /// <summary>Where the report for CI goes, as JUnit XML; null: nowhere.</summary>
    public required OutputFile? JUnit { get; init; }

    /// <summary>Whether suppressions for the shown leaks are written.</summary>
    public required bool Suggests { get; init; }

    /// <summary>The file that they go to; null: they stand in the report.</summary>
    public required OutputFile? Suggestions { get; init; }

    /// <summary>Shows the checks of all processes at their end.</summary>
    /// <returns>The exit code that they mean; 0: the command's own.</returns>
    /// <exception cref="ToolException">The trace cannot be read.</exception>
    public int Present(string trace)
    {
        using var profile = Profile.Open(trace);
        // One that was asked for meanwhile is not the end's.
        var checks = profile.LeakChecks(Suppressions).Where(check => check.Level != "asked").ToList();
        var last = ProcessImages.Last(profile.Processes)[0];
        var main = checks.FindLast(check => check.Process.Id == last.Id);
        if (main is null)
        {
            Messages.Error("the command's heap was not checked: it was not recorded");
            return ExitCodes.Incomplete;
        }

        return Present(profile, main, [.. checks.Where(check => check != main)]);
    }

    /// <summary>Shows one check.</summary>
    /// <param name="trace">A trace, which may be being written.</param>
    /// <param name="number">The check's number.</param>
    /// <param name="pid">The process that was checked.</param>
    /// <param name="sinceLast">Only what the one before had not found.</param>
    /// <exception cref="ToolException">The trace cannot be read.</exception>
    public int Present(string trace, int number, int pid, bool sinceLast)
    {
        using var profile = Profile.Open(trace, live: new LiveCode(pid));
        var check = profile.LeakCheck(number, sinceLast, Suppressions)
            ?? throw new ToolException($"{trace} has no check {number}", ExitCodes.Input);
        return Present(profile, check, []);
    }

    /// <summary>Decides on a check that a program has asked for itself, and shows what is lost.</summary>
    /// <param name="trace">A trace that is being written.</param>
    /// <param name="number">The check's number.</param>
    /// <param name="sinceLast">Only what the one before had not found.</param>
    /// <exception cref="ToolException">The trace cannot be read.</exception>
    public CheckVerdict Judge(string trace, int number, bool sinceLast)
    {
        using var profile = Profile.Open(trace);
        var check = profile.LeakCheck(number, sinceLast, Suppressions)
            ?? throw new ToolException($"{trace} has no check {number}", ExitCodes.Input);
        if (check.Lost.Blocks > 0)
        {
            var text = new StringWriter();
            LeakText.Write(new TextCanvas(text, null, false), check, ShownKinds, MostShown);
            Messages.Say(text.ToString() + LeakWords.LastLine([check]));
        }

        LeakKind[] kinds = [LeakKind.Definite, LeakKind.Indirect, LeakKind.Possible, LeakKind.Reachable];
        return new CheckVerdict(
            [.. kinds.SelectMany(kind => new[] { check.Summary[kind].Bytes, check.Summary[kind].Blocks })], ErrorExitCode);
    }

    /// <summary>What is shown, and which exit code it means, when nothing else is said.</summary>
    public static LeakPlan Usual { get; } = new()
    {
        ShownKinds = new HashSet<LeakKind> { LeakKind.Definite, LeakKind.Possible },
        ErrorKinds = new HashSet<LeakKind> { LeakKind.Definite, LeakKind.Indirect },
        ErrorExitCode = 23,
        Suppressions = LeakSuppressions.BuiltIn,
        Json = null,
        JUnit = null,
        Suggests = false,
        Suggestions = null,
    };

    private int Present(Profile profile, LeakCheck check, IReadOnlyList<LeakCheck> children)
    {
        foreach (var note in profile.Notes)
        {
            Messages.Warn(note);
        }

        var text = new StringWriter();
        var canvas = new TextCanvas(text, null, false);
        foreach (var one in children.Prepend(check))
        {
            LeakText.Write(canvas, one, ShownKinds, MostShown);
        }

        IReadOnlyList<LeakCheck> all = [check, .. children];
        Json?.Write(stream => LeakJson.Write(stream, check, children, ShownKinds.Count > 0 ? Listed() : ShownKinds));
        JUnit?.Write(stream => LeakJUnit.Write(stream, all, ShownKinds, ErrorKinds));
        LeakText.WriteSuppressions(canvas, all);
        LeakText.WriteSummary(canvas, all);
        if (Suggests)
        {
            Suggest(text, all);
        }

        Messages.Say(text.ToString() + LeakWords.LastLine(all));
        return ExitCode(all);
    }

    private void Suggest(TextWriter report, IReadOnlyList<LeakCheck> checks)
    {
        if (Suggestions is null)
        {
            WriteSuggestions(report, checks);
            return;
        }

        Suggestions.Write(stream =>
        {
            using var file = new StreamWriter(stream, leaveOpen: true);
            WriteSuggestions(file, checks);
        });
    }

    private void WriteSuggestions(TextWriter output, IReadOnlyList<LeakCheck> checks)
    {
        using var writer = new SuppressionWriter();
        // What is lost with others goes with them.
        foreach (var leak in checks.SelectMany(check => check.Leaks)
            .Where(leak => ShownKinds.Contains(leak.Kind) && leak.Kind != LeakKind.Indirect))
        {
            writer.Write(output, leak);
        }
    }

    // Programs filter for themselves.
    private static HashSet<LeakKind> Listed() => [.. Enum.GetValues<LeakKind>()];

    private int ExitCode(IReadOnlyList<LeakCheck> checks)
    {
        if (ErrorExitCode != 0 && checks.Any(check => ErrorKinds.Any(kind => check.Summary[kind].Blocks > 0)))
        {
            return ErrorExitCode;
        }

        return checks.All(check => check.IsComplete) ? ExitCodes.Success : ExitCodes.Incomplete;
    }
}
