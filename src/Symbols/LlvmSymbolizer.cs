using System.Globalization;

namespace NativeHeap.Symbols;

/// <summary>
/// Asks one llvm-symbolizer about any number of binaries, and starts it anew when it breaks down. A binary at which it
/// breaks down twice, or says nothing in the time it is given, is left to others; so is everything when it does so at
/// several binaries and never answers at all.
/// </summary>
internal sealed class LlvmSymbolizer(string path, TimeSpan patience) : ILineTool
{
    private const int MostFailures = 2; // at one binary
    private const int MostFailuresInVain = 6;

    private static readonly string[] s_arguments =
        ["--output-style=LLVM", "--print-address", "--functions=linkage", "--no-demangle", "--inlines"];

    private readonly LlvmAnswers _answers = new();
    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);
    private ToolProcess? _process;
    private bool _hasAnswered;
    private int _failuresInVain;

    public string Name => "llvm-symbolizer";

    public bool IsUsable => _hasAnswered || _failuresInVain < MostFailuresInVain;

    public void Answer(IReadOnlyList<ModuleQuery> queries, CancellationToken cancellation)
    {
        var at = 0;
        while (IsUsable && at < queries.Count)
        {
            if (HasFailed(queries[at]))
            {
                at++;
                continue;
            }

            var next = at;
            while (next < queries.Count && !HasFailed(queries[next]))
            {
                next++;
            }

            at += AnswerRun(queries.Skip(at).Take(next - at).ToList(), cancellation);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    public void Dispose() => _process?.Dispose();

    private bool HasFailed(ModuleQuery query) => _failures.GetValueOrDefault(query.Symbols.LinesPath!) >= MostFailures;

    // Returns how many of the queries were answered in full.
    private int AnswerRun(List<ModuleQuery> queries, CancellationToken cancellation)
    {
        _process ??= ToolProcess.Start(path, s_arguments, patience);
        if (_process is null)
        {
            _failuresInVain = MostFailuresInVain; // not even started
            return 0;
        }

        _process.Ask(queries.SelectMany(Requests), last: false, cancellation);
        for (var answered = 0; answered < queries.Count; answered++)
        {
            if (!Read(queries[answered]))
            {
                GiveUp(queries[answered]);
                return answered;
            }
        }

        return queries.Count;
    }

    private static IEnumerable<string> Requests(ModuleQuery query) =>
        query.Addresses.Select(address =>
            string.Create(CultureInfo.InvariantCulture, $"\"{query.Symbols.LinesPath}\" 0x{address:x}"));

    private bool Read(ModuleQuery query)
    {
        for (var i = 0; i < query.Addresses.Length; i++)
        {
            if (!_answers.TryRead(_process!, query.Addresses[i], out var frames))
            {
                return false;
            }

            _hasAnswered = true;
            query.Answers[i] = frames;
        }

        return true;
    }

    private void GiveUp(ModuleQuery query)
    {
        // Waiting a second time for a tool that is stuck would cost as much again.
        var weight = _process!.IsStuck ? MostFailures : 1;
        _process.Dispose();
        _process = null;
        _failuresInVain += weight;
        var file = query.Symbols.LinesPath!;
        _failures[file] = _failures.GetValueOrDefault(file) + weight;
        if (HasFailed(query))
        {
            query.Symbols.AddBrokenTool(Name);
        }
    }
}
