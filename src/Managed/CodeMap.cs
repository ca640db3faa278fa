using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>
/// What machine code of a .NET process was which method, and when: addresses are used again and again. Filled while the
/// process runs, asked from any thread.
/// </summary>
public sealed class CodeMap
{
    /// <summary>Most pieces of code that are remembered; some 300 bytes each.</summary>
    public const int MostMethods = 4_000_000;

    /// <summary>Times of stacks are as coarse as the collector's clock: so much later they may have been seen in truth.</summary>
    public const ulong ClockSlackNs = 40_000_000;

    // A runtime tells of a method right after other threads could have called it first.
    private const ulong LatestToldNs = 1_000_000_000;

    // Farther from its entry point no code of a method is looked for when its size is not known.
    private const ulong LongestUnsized = 1 << 20;

    private readonly object _gate = new();
    private readonly Dictionary<ulong, MethodCode> _latest = []; // by start
    private readonly List<MethodCode> _all = [];
    private readonly Dictionary<ulong, LoadedAssembly> _assemblies = [];
    private readonly CodeImages _images = new();
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);
    private MethodCode[] _sorted = [];
    private ulong[] _reach = []; // the largest end up to here
    private bool _isSorted = true;

    /// <summary>Pieces of code it knows.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>Pieces of code that found no room.</summary>
    public long Dropped { get; private set; }

    /// <summary>The module of a piece of code; null when it is not known.</summary>
    public LoadedAssembly? AssemblyOf(MethodCode code)
    {
        ArgumentNullException.ThrowIfNull(code);
        lock (_gate)
        {
            return _assemblies.GetValueOrDefault(code.ModuleId);
        }
    }

    /// <summary>Every module.</summary>
    public IReadOnlyList<LoadedAssembly> Assemblies
    {
        get
        {
            lock (_gate)
            {
                return [.. _assemblies.Values];
            }
        }
    }

    /// <summary>The assembly that an address was compiled from before the process started, by what the process has
    /// mapped; null when nobody saw it.</summary>
    public MappedImage? ImageOf(ulong address)
    {
        lock (_gate)
        {
            return _images.Find(address);
        }
    }

    /// <summary>What an address was at a moment, for code that is not given up.</summary>
    /// <param name="address">Inside an instruction: a return address less 1.</param>
    /// <param name="seenNs">CLOCK_MONOTONIC at or shortly before the moment (<see cref="ClockSlackNs"/>).</param>
    /// <returns>Null when nobody told.</returns>
    public MethodCode? Find(ulong address, ulong seenNs)
    {
        lock (_gate)
        {
            MethodCode? best = null;
            foreach (var code in CoveringInImage(address))
            {
                if (best is null || IsBetter(code, best, seenNs))
                {
                    best = code;
                }
            }

            return best;
        }
    }

    /// <summary>Which of the methods that had an address in turn had it at a moment.</summary>
    /// <param name="address">Inside an instruction: a return address less 1.</param>
    /// <param name="methodId">The runtime's number of the method that was there; 0: unknown.</param>
    /// <param name="onStackNs">CLOCK_MONOTONIC while a call from there was on a stack, exact.</param>
    /// <returns>Null when nobody told: never another method.</returns>
    public MethodCode? FindOwner(ulong address, ulong methodId, ulong onStackNs)
    {
        lock (_gate)
        {
            MethodCode? before = null;
            MethodCode? behind = null;
            foreach (var code in CoveringInImage(address))
            {
                if ((methodId != 0 && code.MethodId != methodId) || code.UnloadNs <= onStackNs)
                {
                    continue;
                }

                if (code.LoadNs <= onStackNs)
                {
                    before = before is null || code.LoadNs >= before.LoadNs ? code : before;
                }
                else if (methodId != 0 && code.LoadNs - onStackNs <= LatestToldNs)
                {
                    behind = behind is null || code.LoadNs < behind.LoadNs ? code : behind;
                }
            }

            return before ?? behind;
        }
    }

    /// <summary>The one method that ever had an address.</summary>
    /// <param name="address">Inside an instruction: a return address less 1.</param>
    /// <returns>Null when nobody told, or several had it.</returns>
    public MethodCode? FindOnly(ulong address)
    {
        lock (_gate)
        {
            var covering = CoveringInImage(address).Take(2).ToList();
            return covering.Count == 1 ? covering[0] : null;
        }
    }

    /// <returns>What is kept for it: itself, or what was known already.</returns>
    internal MethodCode Add(MethodCode code)
    {
        lock (_gate)
        {
            if (_latest.TryGetValue(code.Start, out var known) && known.UnloadNs == MethodCode.NotUnloaded)
            {
                if (known.MethodId == code.MethodId && (code.LoadNs == 0 || known.Size == 0))
                {
                    Complete(known, code);
                    return known;
                }

                known.UnloadNs = Math.Max(known.LoadNs, code.LoadNs);
            }

            if (_all.Count >= MostMethods)
            {
                Dropped++;
                return code;
            }

            _all.Add(code);
            _latest[code.Start] = code;
            _isSorted = false;
            return code;
        }
    }

    internal void SetIlMap(MethodCode code, IlMap? map)
    {
        lock (_gate)
        {
            code.Map ??= map;
        }
    }

    internal void Unload(ulong start, ulong methodId, ulong timeNs)
    {
        lock (_gate)
        {
            if (_latest.TryGetValue(start, out var code) && code.MethodId == methodId)
            {
                code.UnloadNs = Math.Max(code.LoadNs, timeNs);
            }
        }
    }

    internal void AddAssembly(ulong moduleId, LoadedAssembly assembly)
    {
        lock (_gate)
        {
            _assemblies[moduleId] = assembly;
        }
    }

    /// <summary>The same object for equal texts: a million methods have far fewer types.</summary>
    internal string Intern(string text)
    {
        const int most = 1 << 20;
        lock (_gate)
        {
            if (_texts.TryGetValue(text, out var known))
            {
                return known;
            }

            if (_texts.Count < most)
            {
                _texts.Add(text, text);
            }

            return text;
        }
    }

    internal void UpdateImages(IReadOnlyList<MemoryMapping> mappings)
    {
        lock (_gate)
        {
            _images.Update(mappings);
        }
    }

    private bool IsOneImage(ulong a, ulong b) => _images.Find(a)?.Start == _images.Find(b)?.Start;

    // What a rundown tells of code that is known already: the size of what came without.
    private void Complete(MethodCode known, MethodCode code)
    {
        if (known.Size == 0 && code.Size != 0)
        {
            known.Size = code.Size;
            _isSorted = false;
        }

        known.Map ??= code.Map;
        known.ModuleId = known.ModuleId == 0 ? code.ModuleId : known.ModuleId;
        known.Token = known.Token == 0 ? code.Token : known.Token;
    }

    private static bool IsBetter(MethodCode code, MethodCode than, ulong seenNs)
    {
        var order = Fit(code, seenNs).CompareTo(Fit(than, seenNs));
        if (order != 0)
        {
            return order > 0;
        }

        // A size that is known says more than the next entry point below.
        return (code.Size != 0) != (than.Size != 0) ? code.Size != 0 : code.LoadNs > than.LoadNs;
    }

    // 3: was there then. 2: came within what the clock leaves open. 1: had been there. 0: came later.
    private static int Fit(MethodCode code, ulong seenNs) =>
        code.LoadNs <= seenNs ? (code.UnloadNs > seenNs ? 3 : 1)
        : code.LoadNs <= seenNs + ClockSlackNs ? 2 : 0;

    private IEnumerable<MethodCode> CoveringInImage(ulong address) =>
        Covering(address).Where(code => code.Size != 0 || IsOneImage(code.Start, address));

    private IEnumerable<MethodCode> Covering(ulong address)
    {
        Sort();
        var low = 0;
        var high = _sorted.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_sorted[middle].Start <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        for (var i = low - 1; i >= 0 && _reach[i] > address; i--)
        {
            if (EndOf(i) > address)
            {
                yield return _sorted[i];
            }
        }
    }

    // Without a size code ends where the next begins.
    private ulong EndOf(int index)
    {
        var code = _sorted[index];
        if (code.Size != 0)
        {
            return code.Start + code.Size;
        }

        var next = index + 1;
        while (next < _sorted.Length && _sorted[next].Start == code.Start)
        {
            next++;
        }

        var end = code.Start + LongestUnsized;
        return next < _sorted.Length ? Math.Min(end, _sorted[next].Start) : end;
    }

    private void Sort()
    {
        if (_isSorted)
        {
            return;
        }

        _sorted = [.. _all];
        Array.Sort(_sorted, (a, b) => (a.Start, a.LoadNs).CompareTo((b.Start, b.LoadNs)));
        _reach = new ulong[_sorted.Length];
        ulong reach = 0;
        for (var i = 0; i < _sorted.Length; i++)
        {
            reach = Math.Max(reach, EndOf(i));
            _reach[i] = reach;
        }

        _isSorted = true;
    }
}
