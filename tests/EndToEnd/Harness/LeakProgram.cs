using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A program of tests/targets/leaks: what its head says (leaks.h there tells how).</summary>
internal sealed partial class LeakProgram
{
    private const string Folder = "tests/targets/leaks";
    private const string Main = "";
    private const string Strict = "(strict)";
    private const string Child = "of child";

    private readonly Dictionary<string, ExpectedLeaks> _leaks = [];

    private LeakProgram(string path)
    {
        Name = Path.GetFileNameWithoutExtension(path);
        foreach (var line in File.ReadLines(path).TakeWhile(line => line.StartsWith("//", StringComparison.Ordinal)))
        {
            if (LeaksLine().Match(line) is { Success: true } leaks)
            {
                _leaks.Add(leaks.Groups["of"].Value, ExpectedLeaks.Parse(leaks.Groups["sums"].Value));
            }
            else if (ExitLine().Match(line) is { Success: true } exit)
            {
                ExitCode = int.Parse(exit.Groups["code"].Value, CultureInfo.InvariantCulture);
            }
        }

        Assert.True(_leaks.ContainsKey(Main), $"{path} does not say what it leaks");
    }

    /// <summary>All of them.</summary>
    public static IReadOnlyList<LeakProgram> All { get; } =
    [
        .. Directory.EnumerateFiles(Path.Combine(Built.Root, Folder))
            .Where(path => Path.GetExtension(path) is ".c" or ".cpp" && Path.GetFileName(path) != "library.c")
            .Order(StringComparer.Ordinal)
            .Select(path => new LeakProgram(path)),
    ];

    public string Name { get; }

    public int ExitCode { get; }

    /// <summary>Whether another moment of its end has other leaks.</summary>
    public bool HasStrict => _leaks.ContainsKey(Strict);

    /// <summary>What is right for the process itself.</summary>
    public ExpectedLeaks Leaks(string level) => _leaks[level == "strict" && HasStrict ? Strict : Main];

    /// <summary>What is right for its child, or its image before an exec; null when it says nothing of one.</summary>
    public ExpectedLeaks? OfChild => _leaks.GetValueOrDefault(Child);

    public string Executable(string optimization) => Built.Target($"leaks/{Name}-{optimization}");

    [GeneratedRegex(@"^// leaks ?(?<of>[^:]*):(?<sums>.*)$")]
    private static partial Regex LeaksLine();

    [GeneratedRegex(@"^// exit: (?<code>\d+)$")]
    private static partial Regex ExitLine();
}

/// <summary>Leaks as the head of a program gives them: by kind "bytes/blocks", where "*" is any number.</summary>
internal sealed class ExpectedLeaks
{
    private const string None = "0/0";
    private const string Any = "*";
    private static readonly string[] s_kinds = ["definite", "indirect", "possible", "reachable"];

    private readonly Dictionary<string, string> _sums = [];

    /// <summary>How many blocks its one ring has; 0: there is none.</summary>
    public int Ring { get; private init; }

    public static ExpectedLeaks Parse(string text)
    {
        var words = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(part => part.Split(' ')).ToDictionary(part => part[0], part => part[1]);
        var ring = words.Remove("ring", out var count) ? int.Parse(count, CultureInfo.InvariantCulture) : 0;
        var expected = new ExpectedLeaks { Ring = ring };
        foreach (var (kind, sum) in words)
        {
            Assert.Contains(kind, s_kinds);
            expected._sums.Add(kind, sum);
        }

        return expected;
    }

    /// <summary>Compares them with what a check found.</summary>
    public void AssertFound(Check check)
    {
        Assert.Equal("", check.Notes);
        Assert.True(check.IsComplete);
        var found = s_kinds.ToDictionary(kind => kind, kind => kind == "reachable" ? check.OwnReachable : check.Sum(kind));
        Assert.Equal(Line(kind => Sum(kind)), Line(kind => Shown(Sum(kind), found[kind])));
        Assert.Equal(Ring == 0 ? [] : [Ring], check.Rings);
    }

    private static string Line(Func<string, string> sum) => string.Join(", ", s_kinds.Select(kind => $"{kind} {sum(kind)}"));

    // What was found, with "*" where anything is right.
    private static string Shown(string expected, (long Bytes, long Blocks) found)
    {
        var parts = expected.Split('/');
        return $"{(parts[0] == Any ? Any : found.Bytes)}/{(parts[1] == Any ? Any : found.Blocks)}";
    }

    private string Sum(string kind) => _sums.GetValueOrDefault(kind, None);
}

/// <summary>A check of a shell that runs many programs one after another.</summary>
internal sealed record LeakProgramsRun(Check Check, IReadOnlyDictionary<string, int> ExitCodes)
{
    private const string Script = """for program; do "$program" 2>/dev/null; echo "$program $?"; done""";

    public static LeakProgramsRun Start(TempFolder folder, IEnumerable<string> programs, string level)
    {
        var run = CheckRun.Run(folder, ["sh", "-c", Script, "sh", .. programs], null, "--level", level);
        var codes = run.Outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .ToDictionary(words => words[0], words => int.Parse(words[1], CultureInfo.InvariantCulture));
        return new LeakProgramsRun(run.Check, codes);
    }
}
