using System.Diagnostics;
using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>
/// Names places in native code. Functions, files, lines and inlined functions come from llvm-symbolizer, or else
/// addr2line; what neither answers gets the name of the symbol that covers it. Names from symbol tables are always our
/// own look-up, by size: tools also give the nearest symbol, however far away. Files are checked against the recorded
/// build id. The children see no network unless the user set DEBUGINFOD_URLS.
/// </summary>
public sealed class NativeSymbolizer : ISymbolizer
{
    private const int MostTexts = 1 << 20;

    private readonly SymbolizerOptions _options;
    private readonly ModuleLocator _locator;
    private readonly List<ILineTool> _tools = [];
    private readonly Demangler _demangler;
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);
    private readonly List<string> _notes = [];
    private readonly Stopwatch _toolTime = new();
    private (Binary Binary, ModuleSymbols Symbols)? _last;

    /// <summary>A symbolizer; its tools are started when they are needed first.</summary>
    /// <param name="options">What it may use; null: what is installed here.</param>
    public NativeSymbolizer(SymbolizerOptions? options = null)
    {
        _options = options ?? new SymbolizerOptions();
        _locator = new ModuleLocator(_options, Note);
        _demangler = new Demangler(_options.Tools.Demangler, _options.Patience);
        if (_options.Tools.LlvmSymbolizer is { } llvm)
        {
            _tools.Add(new ParallelLlvm(llvm, _options.Patience));
        }

        if (_options.Tools.Addr2Line is { } addr2line)
        {
            _tools.Add(new Addr2Line(addr2line, _options.Patience));
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => _notes;

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<ResolvedFrame>> Resolve(
        IReadOnlyList<Location> locations, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(locations);
        var queries = new Dictionary<Binary, ModuleQuery>();
        try
        {
            foreach (var group in locations
                .Where(IsNameable)
                .GroupBy(place => place.Module!))
            {
                ulong[] addresses = [.. group.Select(place => place.Offset - 1).Distinct().Order()];
                queries.Add(group.Key, new ModuleQuery(Open(group.Key), addresses));
            }

            AskTools([.. queries.Values], cancellation);
            foreach (var query in queries.Values)
            {
                CompleteFromSymbols(query);
            }

            return Name(locations, queries, cancellation);
        }
        finally
        {
            Close(queries);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tool in _tools)
        {
            tool.Dispose();
        }

        _last?.Symbols.Dispose();
        _last = null;
    }

    // An offset of 0 has no instruction before it.
    private static bool IsNameable(Location place) =>
        place is { Kind: FrameKind.Native, Module: not null, Offset: > 0 };

    private ModuleSymbols Open(Binary binary) =>
        _last is { } last && last.Binary == binary ? last.Symbols : _locator.Open(binary);

    // A binary's places may be spread over two calls: the last one is kept open.
    private void Close(Dictionary<Binary, ModuleQuery> queries)
    {
        var previous = _last;
        _last = queries.Count > 0 ? (queries.Last().Key, queries.Last().Value.Symbols) : previous;
        foreach (var symbols in queries.Values.Select(query => query.Symbols).Append(previous?.Symbols))
        {
            if (symbols != _last?.Symbols)
            {
                symbols?.Dispose();
            }
        }
    }

    private void AskTools(List<ModuleQuery> queries, CancellationToken cancellation)
    {
        var left = _options.TimeLimit - _toolTime.Elapsed;
        foreach (var tool in _tools.Where(tool => tool.IsUsable))
        {
            var open = queries
                .Where(query => query.Symbols.LinesPath is not null && Array.IndexOf(query.Answers, null) >= 0)
                .ToList();
            if (open.Count == 0 || left <= TimeSpan.Zero)
            {
                return;
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(left);
            _toolTime.Start();
            try
            {
                tool.Answer(open, limit.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                Note($"reading debug information took longer than {_options.TimeLimit.TotalSeconds:0} s: "
                    + "the rest has names from symbol tables alone");
                return;
            }
            finally
            {
                _toolTime.Stop();
                left = _options.TimeLimit - _toolTime.Elapsed;
            }
        }
    }

    private void CompleteFromSymbols(ModuleQuery query)
    {
        for (var i = 0; i < query.Addresses.Length; i++)
        {
            var name = query.Symbols.FindFunction(query.Addresses[i]);
            query.Answers[i] = Complete(query.Answers[i], name);
        }

        foreach (var tool in query.Symbols.BrokenTools)
        {
            Note($"{tool} broke down at {query.Symbols.LinesPath}");
        }
    }

    // The outermost of a tool's frames is the function whose symbol covers the place. Debug information may have no
    // linkage name for it (functions of one file in C++), and a tool without debug information only guesses.
    private static RawFrame[] Complete(RawFrame[]? answer, string? name)
    {
        if (answer is null or [] or [{ File: null }])
        {
            return name is null ? [] : [new RawFrame(name, null, 0)];
        }

        ref var outermost = ref answer[^1];
        if (name is not null
            && (outermost.Name is null || (FunctionNames.IsMangled(name) && !FunctionNames.IsMangled(outermost.Name))))
        {
            outermost = outermost with { Name = name };
        }

        return answer;
    }

    private List<IReadOnlyList<ResolvedFrame>> Name(
        IReadOnlyList<Location> locations, Dictionary<Binary, ModuleQuery> queries, CancellationToken cancellation)
    {
        _demangler.Learn(
            queries.Values
                .SelectMany(query => query.Answers)
                .SelectMany(frames => frames!)
                .Select(frame => frame.Name)
                .OfType<string>()
                .Distinct(StringComparer.Ordinal)
                .Select(FunctionNames.WithoutSuffixes),
            cancellation);
        if (_demangler.HasFailed)
        {
            Note($"{_options.Tools.Demangler} broke down: some names stay mangled");
        }

        var results = new List<IReadOnlyList<ResolvedFrame>>(locations.Count);
        foreach (var place in locations)
        {
            var query = IsNameable(place) ? queries[place.Module!] : null;
            var index = query is null ? -1 : Array.BinarySearch(query.Addresses, place.Offset - 1);
            results.Add(index < 0 ? [] : Resolved(query!.Answers[index]!));
        }

        return results;
    }

    private ResolvedFrame[] Resolved(RawFrame[] frames)
    {
        var resolved = new ResolvedFrame[frames.Length];
        for (var i = 0; i < frames.Length; i++)
        {
            var (name, file, line) = frames[i];
            resolved[i] = new ResolvedFrame(
                name is null ? null : Text(name, raw => _demangler[FunctionNames.WithoutSuffixes(raw)]),
                file is null ? null : Text(file, raw => raw),
                file is null || line == 0 ? null : line,
                Inlined: i < frames.Length - 1);
        }

        return resolved;
    }

    // Each text is worked on once and then the same object: traces have far more frames than functions.
    private string Text(string raw, Func<string, string> convert)
    {
        if (!_texts.TryGetValue(raw, out var text))
        {
            text = FunctionNames.Printable(convert(raw))!;
            if (_texts.Count < MostTexts)
            {
                _texts.Add(raw, text);
            }
        }

        return text;
    }

    private void Note(string text)
    {
        const int most = 100;
        var line = FunctionNames.Printable(text)!;
        if (_notes.Count < most && !_notes.Contains(line))
        {
            _notes.Add(line);
        }
    }
}
