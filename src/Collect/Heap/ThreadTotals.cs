using NativeHeap.Model;

namespace NativeHeap.Collect.Heap;

/// <summary>What one thread allocated.</summary>
internal struct ThreadTotal
{
    public uint Tid;
    public uint StartMs;
    public long Allocations;
    public long AllocatedBytes;

    /// <summary>Address of the block it allocated last and has not freed, 0 when there is none.</summary>
    public ulong LastBirth;

    public bool Dirty;
}

/// <summary>A process's threads by their number in the process. For one thread.</summary>
internal sealed class ThreadTotals : IDisposable
{
    /// <summary>Threads beyond this share the last number, so that it fits into 16 bits.</summary>
    public const int Most = ushort.MaxValue;

    private readonly Dictionary<uint, int> _byTid = [];
    private readonly NativeList<ThreadTotal> _threads = new();

    public int Count => _threads.Count;

    public ref ThreadTotal this[int index] => ref _threads[index];

    /// <summary>The number of a thread, a new one for a new tid.</summary>
    public int IndexOf(uint tid, uint timeMs)
    {
        if (_byTid.TryGetValue(tid, out var index))
        {
            return index;
        }

        if (_threads.Count >= Most)
        {
            return Most - 1;
        }

        index = _threads.Add(new ThreadTotal { Tid = tid, StartMs = timeMs, Dirty = true });
        _byTid.Add(tid, index);
        return index;
    }

    /// <summary>Whether that thread was seen in the process.</summary>
    public bool Knows(uint tid) => _byTid.ContainsKey(tid);

    public void Dispose() => _threads.Dispose();
}
