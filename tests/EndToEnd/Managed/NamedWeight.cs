namespace NativeHeap.EndToEnd.Managed;

/// <summary>Frames of .NET code in a trace by weight: every allocation counts each of its frames.</summary>
/// <param name="All">Frames.</param>
/// <param name="Named">Those of them whose method is known.</param>
internal sealed record NamedWeight(long All, long Named)
{
    private const string Weights =
        """
        WITH RECURSIVE up (stack, weight) AS (
            SELECT stack_id, sum(allocations) FROM stack_total GROUP BY stack_id
            UNION ALL
            SELECT stack.parent_id, weight FROM up JOIN stack ON stack.id = up.stack WHERE stack.parent_id <> 0)
        SELECT coalesce(sum(weight), 0), coalesce(sum(iif(method_id IS NULL, 0, weight)), 0)
        FROM up JOIN stack ON stack.id = up.stack JOIN code ON code.location_id = stack.location_id
        """;

    public static NamedWeight Of(Recording recording)
    {
        var row = recording.Ask(Weights)[0];
        return new NamedWeight((long)row[0]!, (long)row[1]!);
    }

    /// <summary>Whether at least 99.9 % have a name.</summary>
    public bool IsEnough => Named * 1000 >= All * 999 && All > 0;
}
