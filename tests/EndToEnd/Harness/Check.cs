using System.Text.Json;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>What a heap-check of one process said.</summary>
internal sealed class Check(JsonElement json)
{
    public string Level => json.GetProperty("level").GetString()!;

    public bool IsComplete => json.GetProperty("complete").GetBoolean();

    public string Command => json.GetProperty("process").GetProperty("command").GetString()!;

    public bool IsForked => json.GetProperty("process").GetProperty("origin").GetString() == "fork";

    /// <summary>How many blocks each leaked ring has, of those that stand for others of the same stack, too.</summary>
    public IReadOnlyList<int> Rings =>
    [
        .. json.GetProperty("leaks").EnumerateArray().Where(leak => leak.GetProperty("cycle").GetBoolean())
            .Select(leak => leak.GetProperty("members").GetArrayLength()),
    ];

    /// <summary>Reachable blocks that the program or a library of its own allocated, be it by a function of the C or C++
    /// library.</summary>
    public (long Bytes, long Blocks) OwnReachable => json.GetProperty("leaks").EnumerateArray()
        .Where(leak => leak.GetProperty("kind").GetString() == "reachable" && IsOwn(leak))
        .Select(Sum).Aggregate((0L, 0L), (sum, next) => (sum.Item1 + next.Bytes, sum.Item2 + next.Blocks));

    public string Notes => string.Join("; ", json.GetProperty("notes").EnumerateArray().Select(note => note.GetString()));

    public IReadOnlyList<Check> Children => [.. json.GetProperty("children").EnumerateArray().Select(child => new Check(child))];

    public (long Bytes, long Blocks) Sum(string kind) => Sum(json.GetProperty("summary").GetProperty(kind));

    /// <summary>By kind: bytes and blocks whose stack has a function.</summary>
    /// <param name="function">What is in its name.</param>
    /// <param name="each">Only stacks whose blocks have this size: what a runtime allocates on behalf of a function's first
    /// call is not the function's.</param>
    public IReadOnlyDictionary<string, (long Bytes, long Blocks)> Of(string function, long? each = null) =>
        json.GetProperty("leaks").EnumerateArray()
        .Where(leak => each is null || Sum(leak).Bytes == each * Sum(leak).Blocks)
        .Where(leak => leak.GetProperty("frames").EnumerateArray().Any(
            frame => frame.GetProperty("function").GetString()?.Contains(function, StringComparison.Ordinal) == true))
        .GroupBy(leak => leak.GetProperty("kind").GetString()!, Sum)
        .ToDictionary(kind => kind.Key, kind => (kind.Sum(sum => sum.Bytes), kind.Sum(sum => sum.Blocks)));

    /// <summary>The leak of a number: an example's address, and the bytes of all.</summary>
    public (string Address, long Bytes) Address(int id)
    {
        var found = json.GetProperty("leaks").EnumerateArray().Single(leak => leak.GetProperty("id").GetInt32() == id);
        return (found.GetProperty("address").GetString()!, found.GetProperty("bytes").GetInt64());
    }

    public IReadOnlyList<(string Pattern, long Bytes, long Blocks)> SuppressionsUsed =>
        [.. json.GetProperty("suppressions_used").EnumerateArray().Select(
            used => (used.GetProperty("pattern").GetString()!, Sum(used).Bytes, Sum(used).Blocks))];

    private static bool IsOwn(JsonElement leak) => leak.GetProperty("frames").EnumerateArray()
        .Select(frame => frame.GetProperty("module").GetString())
        .FirstOrDefault(module => module is null || !IsLibc(Path.GetFileName(module)))
        is { } caller && Path.GetFileName(Path.GetDirectoryName(caller)) == "leaks";

    private static bool IsLibc(string name) => name.StartsWith("libc.so", StringComparison.Ordinal)
        || name.StartsWith("libstdc++.so", StringComparison.Ordinal);

    private static (long Bytes, long Blocks) Sum(JsonElement at) =>
        (at.GetProperty("bytes").GetInt64(), at.GetProperty("blocks").GetInt64());
}

/// <summary>A command run under the heap-check, to its end.</summary>
internal sealed class CheckRun
{
    private CheckRun(Outcome outcome, Check? check)
    {
        Outcome = outcome;
        Found = check;
    }

    public Outcome Outcome { get; }

    /// <summary>What the JSON said; null when none was written.</summary>
    public Check? Found { get; }

    public Check Check => Found ?? throw new InvalidOperationException($"there is no JSON: {Outcome.Errors}");

    public static CheckRun Run(
        TempFolder folder, IReadOnlyList<string> command, Surroundings? surroundings = null, params string[] options)
    {
        var file = folder[$"{Guid.NewGuid():N}.json"];
        string[] all = [Built.Supervisor, "dotnet", Built.Command, "check", "--json", file, .. options, "--", .. command];
        return Read(Program.Run(all, surroundings), file);
    }

    /// <summary>Checks a process that is being recorded.</summary>
    public static CheckRun Now(TempFolder folder, int pid, params string[] options) => NowIn(folder, null, pid, options);

    /// <summary>The same from other surroundings.</summary>
    public static CheckRun NowIn(TempFolder folder, Surroundings? surroundings, int pid, params string[] options)
    {
        var file = folder[$"{Guid.NewGuid():N}.json"];
        string[] all = ["dotnet", Built.Command, "check", "-p", $"{pid}", "--json", file, .. options];
        return Read(Program.Run(all, surroundings), file);
    }

    /// <summary>What a check that has ended wrote to its JSON file, if it did.</summary>
    public static CheckRun Read(Outcome outcome, string file) => new(
        outcome, File.Exists(file) ? new Check(JsonDocument.Parse(File.ReadAllBytes(file)).RootElement) : null);
}
