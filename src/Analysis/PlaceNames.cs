using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>What the places in code of a trace are called: as it says itself and, as long as it is not closed and does not
/// say it, as binaries and the process that runs tell.</summary>
internal sealed class PlaceNames
{
    private readonly LocationTable _locations;
    private readonly IReadOnlyList<ResolvedFrame>[] _names; // by id less 1
    private readonly HashSet<int> _live = []; // named by the process

    private PlaceNames(LocationTable locations)
    {
        _locations = locations;
        _names = [.. Enumerable.Range(1, locations.Count).Select(id => locations.Names(new LocationId(id)))];
    }

    /// <summary>Places: ids are 1 to <c>Count</c>.</summary>
    public int Count => _names.Length;

    /// <summary>Remarks of the symbolizer, one line each.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>Its functions, the innermost inlined one first; empty when nobody knows.</summary>
    public IReadOnlyList<ResolvedFrame> this[LocationId id] => _names[id.Value - 1];

    /// <summary>Finds all names.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="symbolizer">Made only when it is needed.</param>
    /// <param name="live">Names code of one process; null: nobody does.</param>
    public static PlaceNames Find(TraceReader trace, Func<ISymbolizer> symbolizer, ILiveCode? live)
    {
        var names = new PlaceNames(trace.Locations);
        if (!trace.Info.Closed)
        {
            names.AskBinaries(symbolizer);
            if (live is not null)
            {
                names.AskProcess(trace, live);
            }
        }

        return names;
    }

    /// <summary>The place itself.</summary>
    public Location Place(LocationId id) =>
        _live.Contains(id.Value) ? _locations[id] with { Kind = FrameKind.Managed } : _locations[id];

    private void AskBinaries(Func<ISymbolizer> symbolizer)
    {
        var nameless = Enumerable.Range(1, Count).Select(id => new LocationId(id))
            .Where(id => this[id].Count == 0 && _locations[id] is { Kind: FrameKind.Native, Module: not null }).ToList();
        if (nameless.Count == 0)
        {
            return;
        }

        using var binaries = symbolizer();
        var found = binaries.Resolve([.. nameless.Select(id => _locations[id])]);
        Notes = [.. binaries.Notes];
        for (var i = 0; i < nameless.Count; i++)
        {
            _names[nameless[i].Value - 1] = found[i];
        }
    }

    // What was there before code was given up, the process does not know any more.
    private void AskProcess(TraceReader trace, ILiveCode live)
    {
        var nameless = trace.Code()
            .Where(row => row.Epoch == 0 && trace.Processes[row.Process.Value - 1].Pid == live.Pid && this[row.Location].Count == 0)
            .ToList();
        var found = live.Name([.. nameless.Select(row => row.Address)]);
        foreach (var row in nameless)
        {
            if (found.TryGetValue(row.Address, out var name))
            {
                _names[row.Location.Value - 1] = [name];
                _live.Add(row.Location.Value);
            }
        }
    }
}
