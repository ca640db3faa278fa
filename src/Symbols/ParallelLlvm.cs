namespace NativeHeap.Symbols;

/// <summary>Divides many questions among several llvm-symbolizers; a few go to one. Each reads debug information only
/// as far as it is asked about, so dividing the addresses of one binary divides the work.</summary>
internal sealed class ParallelLlvm : ILineTool
{
    private const int WorthAnother = 4096;
    private const int MostWorkers = 4;

    private readonly LlvmSymbolizer[] _workers;

    internal ParallelLlvm(string path, TimeSpan patience)
    {
        var count = Math.Clamp(Environment.ProcessorCount, 1, MostWorkers);
        _workers = [.. Enumerable.Range(0, count).Select(_ => new LlvmSymbolizer(path, patience))];
    }

    public string Name => _workers[0].Name;

    public bool IsUsable => _workers[0].IsUsable;

    public void Answer(IReadOnlyList<ModuleQuery> queries, CancellationToken cancellation)
    {
        var total = queries.Sum(query => query.Addresses.Length);
        var workers = Math.Clamp(total / WorthAnother, 1, _workers.Length);
        if (workers == 1)
        {
            _workers[0].Answer(queries, cancellation);
            return;
        }

        var shares = Divide(queries, (total + workers - 1) / workers);
        try
        {
            Task.WhenAll(shares.Select((share, i) => Task.Run(
                () => _workers[i].Answer([.. share.Select(part => part.Slice)], cancellation), CancellationToken.None)))
                .GetAwaiter().GetResult();
        }
        finally
        {
            foreach (var (query, start, slice) in shares.SelectMany(share => share))
            {
                slice.Answers.CopyTo(query.Answers, start);
            }
        }
    }

    public void Dispose()
    {
        foreach (var worker in _workers)
        {
            worker.Dispose();
        }
    }

    // Shares of so many addresses each, in order; a query may be cut into several slices.
    private static List<List<(ModuleQuery Query, int Start, ModuleQuery Slice)>> Divide(
        IReadOnlyList<ModuleQuery> queries, int size)
    {
        var shares = new List<List<(ModuleQuery, int, ModuleQuery)>> { new() };
        var room = size;
        foreach (var query in queries)
        {
            for (var start = 0; start < query.Addresses.Length;)
            {
                if (room == 0)
                {
                    shares.Add([]);
                    room = size;
                }

                var count = Math.Min(room, query.Addresses.Length - start);
                shares[^1].Add((query, start, query.Slice(start, count)));
                start += count;
                room -= count;
            }
        }

        return shares;
    }
}
