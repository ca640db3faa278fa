using System.Text;

namespace NativeHeap.Symbols;

/// <summary>Demangles names by a child, many at once, each once. A name at which the child breaks down stays mangled,
/// and after a few of those all do. For one thread.</summary>
/// <param name="path">c++filt or llvm-cxxfilt (<see cref="SymbolTools.Demangler"/>); null: there is none.</param>
/// <param name="patience">How long it may take for an answer.</param>
public sealed class Demangler(string? path, TimeSpan patience)
{
    private const int MostBreakdowns = 8;
    private const int LongestName = 32 * 1024;

    // c++filt without implementation details: hashes of Rust, what std::string stands for. llvm-cxxfilt has none.
    private readonly string[] _arguments =
        path is not null && !path.Contains("llvm-cxxfilt", StringComparison.Ordinal) ? ["--no-verbose"] : [];

    private readonly Dictionary<string, string> _known = new(StringComparer.Ordinal);
    private int _breakdowns;

    /// <summary>True when names had to stay mangled because the tool broke down.</summary>
    public bool HasFailed => _breakdowns > 0;

    /// <summary>The name for people; the name itself when it is not mangled or was not given to
    /// <see cref="Learn"/>.</summary>
    public string this[string name] => _known.GetValueOrDefault(name, name);

    /// <summary>Demangles names that are not known yet.</summary>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public void Learn(IEnumerable<string> names, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(names);
        var waiting = names
            .Where(name => FunctionNames.IsMangled(name) && name.Length <= LongestName && !name.Any(char.IsControl))
            .Where(name => !_known.ContainsKey(name))
            .Distinct(StringComparer.Ordinal)
            .ToList();
        while (path is not null && waiting.Count > 0 && _breakdowns < MostBreakdowns)
        {
            var done = Ask(waiting, cancellation);
            cancellation.ThrowIfCancellationRequested();
            if (done < waiting.Count)
            {
                _breakdowns++;
                _known[waiting[done]] = waiting[done];
                done++;
            }

            waiting.RemoveRange(0, done);
        }
    }

    // Returns how many were answered.
    private int Ask(List<string> names, CancellationToken cancellation)
    {
        using var process = ToolProcess.Start(path!, _arguments, patience);
        if (process is null)
        {
            return 0;
        }

        process.Ask(names, last: true, cancellation);
        for (var i = 0; i < names.Count; i++)
        {
            if (!process.ReadLine(out var line))
            {
                return i;
            }

            _known[names[i]] = FunctionNames.WithoutHash(names[i], Encoding.UTF8.GetString(line));
        }

        return names.Count;
    }
}
