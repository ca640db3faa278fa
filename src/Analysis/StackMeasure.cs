namespace NativeHeap.Analysis;

/// <summary>What stacks are weighed by.</summary>
public enum StackMeasure
{
    /// <summary>Alive at a moment: each process's end, a snapshot, or a time.</summary>
    Live,

    /// <summary>Alive at the moment of most live bytes.</summary>
    Peak,

    /// <summary>Allocated ever, largest bytes first.</summary>
    Allocated,

    /// <summary>Allocated ever, most blocks first.</summary>
    Count,

    /// <summary>Freed by the same thread with no other allocation of it in between.</summary>
    Temporary,

    /// <summary>Alive when the process ended; processes that have not ended do not count.</summary>
    Leaked,

    /// <summary>Freed ever, or within a range of time.</summary>
    Freed,
}

/// <summary>The words for <see cref="StackMeasure"/> on the command line and in JSON.</summary>
public static class StackMeasures
{
    /// <summary>All words, in the order to show them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetValues<StackMeasure>().Select(Name)];

    /// <summary>The word for a measure.</summary>
    public static string Name(this StackMeasure measure) => measure switch
    {
        StackMeasure.Live => "live",
        StackMeasure.Peak => "peak",
        StackMeasure.Allocated => "allocated",
        StackMeasure.Count => "count",
        StackMeasure.Temporary => "temporary",
        StackMeasure.Leaked => "leaked",
        StackMeasure.Freed => "freed",
        _ => throw new ArgumentOutOfRangeException(nameof(measure)),
    };

    /// <summary>The measure that a word names; false when it names none.</summary>
    public static bool TryParse(string name, out StackMeasure measure)
    {
        foreach (var candidate in Enum.GetValues<StackMeasure>())
        {
            if (candidate.Name() == name)
            {
                measure = candidate;
                return true;
            }
        }

        measure = default;
        return false;
    }
}
