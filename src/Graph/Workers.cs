namespace NativeHeap.Graph;

/// <summary>Threads that do one piece of work together.</summary>
internal static class Workers
{
    private const int FewBlocks = 20_000;
    private const int Most = 8;

    /// <summary>How many are worth it for so many blocks: a few are done before another thread has begun.</summary>
    public static int For(int blocks) => blocks < FewBlocks ? 1 : Math.Min(Environment.ProcessorCount, Most);

    /// <summary>Does something on several threads at once; returns when all have ended.</summary>
    /// <param name="count">How many.</param>
    /// <param name="work">Gets the worker's number.</param>
    /// <exception cref="OperationCanceledException">Thrown by one of them.</exception>
    public static void Run(int count, Action<int> work)
    {
        if (count == 1)
        {
            work(0);
            return;
        }

        try
        {
            Parallel.ForEach(
                Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = count }, (worker, _) => work(worker));
        }
        catch (AggregateException error) when (error.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException("it took too long", error);
        }
    }
}
