using System.Runtime.CompilerServices;

namespace Truth.Contexts;

/// <summary>Async methods before, at and after true suspensions.</summary>
internal static class Asynchronous
{
    public static async Task Run(int round)
    {
        Probe.Here("async, before it suspends");
        await Task.Yield();
        Probe.Here("async, after Task.Yield");
        await Outer(round).ConfigureAwait(false);
        Probe.Here("async, after a call that suspended");
        await Task.WhenAll(Inner(1L), Inner(2L));
        await foreach (var value in Stream(2))
        {
            Probe.Here(value > 0 ? "async, in await foreach" : "");
        }
        await Failing();
        await Channel();
        await Sourced();
        if (round % 8 == 0)
        {
            await Task.Delay(1);
            Probe.Here("async, after a delay");
        }
    }

    private static async Task Outer(int round)
    {
        await using var owned = new Owned();
        _ = await Inner(round % 5);
        Probe.Here("async, after a call that suspended");
    }

    private static async ValueTask<int> Inner(int depth)
    {
        if (depth == 0)
        {
            await Task.Run(() => Probe.Here("Task.Run"));
            Probe.Here("ValueTask, after it suspended");
            return 0;
        }
        var result = await Inner(depth - 1);
        Probe.Here("ValueTask, after it suspended");
        return result + 1;
    }

    private static async Task Inner(long value) => await Inner((int)value);

    private static async IAsyncEnumerable<int> Stream(int count)
    {
        for (var i = 1; i <= count; i++)
        {
            await Task.Yield();
            Probe.Here("async iterator");
            yield return i;
        }
    }

    private static async Task Failing()
    {
        try
        {
            await Task.Yield();
            try
            {
                Probe.Here("async, in a try block");
                throw new InvalidOperationException();
            }
            finally
            {
                Probe.Here("async, in a finally block");
            }
        }
        catch (InvalidOperationException e) when (e.Message.Length > 0)
        {
            await Task.Yield();
            Probe.Here("async, in a catch block after it suspended");
        }
    }

    private static async Task Channel()
    {
        var channel = System.Threading.Channels.Channel.CreateUnbounded<int>();
        var reader = Task.Run(async () =>
        {
            await foreach (var _ in channel.Reader.ReadAllAsync())
            {
                Probe.Here("async, reading a channel");
            }
        });
        await channel.Writer.WriteAsync(1);
        await Task.Yield();
        channel.Writer.Complete();
        await reader;
    }

    // The continuation runs on the stack of the one who completes.
    private static async Task Sourced()
    {
        var source = new TaskCompletionSource();
        var waiting = Wait(source.Task);
        Complete(source);
        await waiting;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Complete(TaskCompletionSource source)
    {
        source.SetResult();
        GC.KeepAlive(source);
    }

    private static async Task Wait(Task task)
    {
        await task;
        Probe.Here("async, continued inside SetResult");
    }

    private sealed class Owned : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Task.Yield();
            Probe.Here("async dispose");
        }
    }
}
