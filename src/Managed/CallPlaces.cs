namespace NativeHeap.Managed;

/// <summary>A return address in a method's code, and what it had called when it was seen on a stack.</summary>
/// <param name="Address">The return address.</param>
/// <param name="Callee">The method that stood there; null: native code.</param>
public readonly record struct CallPlace(ulong Address, CalledMethod? Callee);

/// <summary>A method that was called.</summary>
/// <param name="AssemblyPath">Its assembly; null when it has none (the runtime's stubs for native calls, emitted
/// methods).</param>
/// <param name="Token">Its token there; 0 when it has none, or it is not known.</param>
/// <param name="Type">Full name of its type in metadata's spelling.</param>
/// <param name="Name">Its name in metadata's spelling.</param>
public sealed record CalledMethod(string? AssemblyPath, int Token, string Type, string Name)
{
    /// <summary>A stub through which native code is called.</summary>
    internal bool IsNativeStub => AssemblyPath is null && Name.StartsWith("IL_STUB_PInvoke", StringComparison.Ordinal);
}

/// <summary>
/// Which call of a method's IL each return address in its code belongs to. The runtime's map of IL to native code has one
/// entry a statement that begins with an empty evaluation stack: the calls of a Release build whose results flow on have
/// none (measured, every tier). The IL says what each of them calls, and the stacks say what was called. Calls that those
/// do not tell apart are told apart by their order, when as many were seen as there are; otherwise nothing is said.
/// </summary>
internal sealed class CallPlaces(AssemblyFile file, string assemblyPath)
{
    private const int DeepestInlining = 3;
    private const int MostRemembered = 1 << 20;

    private readonly Dictionary<(CalledMethod? Callee, int Token, int Depth), bool> _reaching = [];

    /// <summary>Finds the IL offset of each place's call.</summary>
    /// <param name="code">The code.</param>
    /// <param name="token">Its method.</param>
    /// <param name="places">Every place in it that was seen with one callee.</param>
    /// <returns>By address: the offset, or -1 when the calls it could be have different lines.</returns>
    internal Dictionary<ulong, int> Find(MethodCode code, int token, IReadOnlyList<CallPlace> places)
    {
        var found = new Dictionary<ulong, int>();
        var calls = file.FindCalls(token);
        foreach (var group in places.GroupBy(place => (place.Callee, Interval: IntervalOf(code, place.Address - 1))))
        {
            var (callee, interval) = group.Key;
            ulong[] addresses = [.. group.Select(place => place.Address).Distinct().Order()];
            var candidates = Candidates(code, calls, callee, interval, addresses.Length);
            for (var i = 0; i < addresses.Length && candidates.Count > 0; i++)
            {
                found[addresses[i]] = candidates.Count == addresses.Length ? candidates[i]
                    : HaveOneLine(token, candidates) ? candidates[0] : -1;
            }
        }

        return found;
    }

    private static IlInterval IntervalOf(MethodCode code, ulong inside) =>
        code.Map?.FindInterval((int)Math.Min(int.MaxValue, inside - code.Start)) ?? new IlInterval(0, int.MaxValue);

    // Offsets in the order of the IL.
    private List<int> Candidates(
        MethodCode code, IReadOnlyList<IlCall> calls, CalledMethod? callee, IlInterval interval, int places)
    {
        List<IlCall> all = [.. calls.Where(call => IsCallTo(call, callee))];
        if (IsOptimized(code) && all.Count < places)
        {
            all = [.. calls.Where(call => IsCallTo(call, callee) || Reaches(call, callee, DeepestInlining))];
        }

        if (all.Count == 0)
        {
            all = [.. calls.Where(call => call.Name == "Invoke")]; // by a delegate
        }

        List<int> offsets = [.. all.Select(call => call.Offset).Where(offset => offset < interval.To)];
        List<int> within = [.. offsets.Where(offset => offset >= interval.From)];
        // The optimizer moves a call into a later statement, never into an earlier one.
        return within.Count >= places || !IsOptimized(code) ? within
            : offsets.Count >= places ? offsets[^places..] : offsets; // too few: code was copied
    }

    private static bool IsOptimized(MethodCode code) =>
        code.Tier is not (CodeTier.Tier0 or CodeTier.Tier0Instrumented or CodeTier.MinOpts);

    private bool HaveOneLine(int token, List<int> offsets)
    {
        var line = file.FindLine(token, offsets[0]);
        return offsets.TrueForAll(offset => file.FindLine(token, offset) == line);
    }

    private bool IsCallTo(IlCall call, CalledMethod? callee)
    {
        if (callee is null || callee.IsNativeStub)
        {
            return call.IsNative;
        }

        if (call.IsNative)
        {
            return false;
        }

        if (call.Token != 0 && !call.IsVirtual && callee.Token != 0)
        {
            return callee.AssemblyPath == assemblyPath && callee.Token == call.Token;
        }

        return IsNamed(callee.Name, call.Name) && (call.IsVirtual || call.Type.Length == 0 || IsOfType(callee.Type, call.Type));
    }

    // An interface's method may be implemented under the interface's name and its own.
    private static bool IsNamed(string name, string called) =>
        name == called
        || (name.Length > called.Length && name.EndsWith(called, StringComparison.Ordinal) && name[^(called.Length + 1)] == '.');

    // Full name, perhaps of an instantiation, against a simple one; nested types stand behind a plus sign.
    private static bool IsOfType(string full, string simple)
    {
        var bracket = full.IndexOf('[', StringComparison.Ordinal);
        var name = bracket < 0 ? full : full[..bracket];
        return name.Length == simple.Length
            ? name == simple
            : name.EndsWith(simple, StringComparison.Ordinal) && name[^(simple.Length + 1)] is '.' or '+';
    }

    // Whether what is called could have been inlined with a call to it.
    private bool Reaches(IlCall call, CalledMethod? callee, int depth)
    {
        if (call.Token == 0 || call.IsNative)
        {
            return false;
        }

        var key = (callee, call.Token, depth);
        if (!_reaching.TryGetValue(key, out var reaches))
        {
            var calls = file.FindCalls(call.Token);
            reaches = calls.Any(inner => IsCallTo(inner, callee))
                || (depth > 1 && calls.Any(inner => Reaches(inner, callee, depth - 1)));
            if (_reaching.Count >= MostRemembered)
            {
                _reaching.Clear();
            }

            _reaching[key] = reaches;
        }

        return reaches;
    }
}

/// <summary>A part of a method's IL.</summary>
/// <param name="From">First offset.</param>
/// <param name="To">One past the last.</param>
internal readonly record struct IlInterval(int From, int To);
