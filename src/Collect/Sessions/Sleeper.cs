using System.Runtime.InteropServices;
using NativeHeap.Collect.Server;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Where the drain's thread sleeps until a ring is half full, somebody has something for it, or the time is over.
/// <see cref="Wake"/> may be called from any thread, the rest from one.
/// </summary>
internal sealed unsafe class Sleeper : IDisposable
{
    private const int MostWords = 128; // FUTEX_WAITV_MAX of linux/futex.h

    private readonly uint* _wanted = (uint*)NativeMemory.AllocZeroed(sizeof(uint));
    private readonly List<nint> _words = [];
    private bool _hasNoWaitv;

    /// <summary>Ends the sleep, or the next one.</summary>
    public void Wake()
    {
        Volatile.Write(ref *_wanted, 1);
        Futex.WakeAll(_wanted);
    }

    /// <summary>Sleeps.</summary>
    /// <param name="regions">Those whose producers may wake us.</param>
    /// <param name="milliseconds">Longest sleep.</param>
    /// <param name="isBehind">Says that there is no time to sleep. Asked first, and again when producers know that we
    /// sleep: one that passed the mark between our last look at its ring and that would not wake us.</param>
    public void Sleep(List<RegionView> regions, int milliseconds, Func<bool> isBehind)
    {
        if (isBehind())
        {
            return;
        }
        _words.Clear();
        _words.Add((nint)_wanted);
        foreach (var region in regions.Take(MostWords - 1))
        {
            Volatile.Write(ref *region.CollectorSleeping, 1);
            _words.Add((nint)region.CollectorSleeping);
        }
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref *_wanted) == 0 && !isBehind())
        {
            Wait(milliseconds);
        }
        Volatile.Write(ref *_wanted, 0);
        foreach (var region in regions.Take(MostWords - 1))
        {
            Volatile.Write(ref *region.CollectorSleeping, 0);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_wanted);

    private void Wait(int milliseconds)
    {
        if (!_hasNoWaitv)
        {
            _hasNoWaitv = !Libc.WaitForAny(CollectionsMarshal.AsSpan(_words), 1, milliseconds);
        }
        if (_hasNoWaitv)
        {
            // Before Linux 5.16: one word at a time; with more than one region the sleep is short instead.
            var word = (uint*)_words[^1];
            Futex.WaitWhile(word, word == _wanted ? 0u : 1u, _words.Count > 2 ? 1 : Math.Min(milliseconds, 5));
        }
    }
}
