using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>The objects of a type, and how many more there are than before.</summary>
/// <param name="Now">How many there are.</param>
/// <param name="DeltaCount">Null: nothing to compare with.</param>
/// <param name="DeltaBytes">Null: nothing to compare with.</param>
public sealed record ObjectGrowth(TypeCount Now, long? DeltaCount, long? DeltaBytes);

/// <summary>What the objects and blocks of a process are.</summary>
public sealed record ObjectCounts
{
    /// <summary>By type, the one with most bytes first; the one that grew most, when there is something to compare with.
    /// </summary>
    public required IReadOnlyList<ObjectGrowth> Types { get; init; }

    /// <summary>The objects of the type that was asked for; null: nobody asked.</summary>
    public IReadOnlyList<ObjectInstance>? Instances { get; init; }

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>How long the look at the process took; null: there was none.</summary>
    public LookTimes? Times { get; init; }

    /// <summary>Who allocated the instances, by the number of their stack, as far as anybody knows.</summary>
    public IReadOnlyDictionary<int, CallStack> Stacks { get; init; } = new Dictionary<int, CallStack>();

    /// <summary>How long one has lived, nanoseconds; null when nobody knows.</summary>
    public Func<ObjectInstance, long?> AgeOf { get; init; } = _ => null;

    /// <summary>Objects of all types.</summary>
    public long Count => Types.Sum(type => type.Now.Count);

    /// <summary>Their bytes.</summary>
    public long Bytes => Types.Sum(type => type.Now.Bytes);

    /// <summary>Whether there is something to compare with.</summary>
    public bool IsGrowth => Types.Any(type => type.DeltaBytes is not null);

    /// <summary>Counts without anything to compare them with.</summary>
    public static IReadOnlyList<ObjectGrowth> Plain(IEnumerable<TypeCount> types) =>
        [.. types.Select(type => new ObjectGrowth(type, null, null)).OrderByDescending(type => type.Now.Bytes).ThenBy(type => type.Now.Type, StringComparer.Ordinal)];

    /// <summary>What grew and what shrank: a type that is in one of both counts as none in the other.</summary>
    public static IReadOnlyList<ObjectGrowth> Between(IEnumerable<TypeCount> before, IEnumerable<TypeCount> after)
    {
        var old = before.ToDictionary(type => (type.Type, type.Kind));
        var rows = new List<ObjectGrowth>();
        foreach (var type in after)
        {
            old.Remove((type.Type, type.Kind), out var was);
            rows.Add(new ObjectGrowth(type, type.Count - (was?.Count ?? 0), type.Bytes - (was?.Bytes ?? 0)));
        }

        rows.AddRange(old.Values.Select(was => new ObjectGrowth(was with { Count = 0, Bytes = 0 }, -was.Count, -was.Bytes)));
        return [.. rows.OrderByDescending(row => row.DeltaBytes).ThenByDescending(row => row.DeltaCount).ThenBy(row => row.Now.Type, StringComparer.Ordinal)];
    }
}
