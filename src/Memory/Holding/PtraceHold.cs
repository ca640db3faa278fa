using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

/// <summary>A process stopped by ptrace(2).</summary>
internal sealed class PtraceHold : IHeldProcess
{
    private readonly ProcessMemory _memory;
    private readonly Action _release;
    private readonly int _tid;
    private readonly ulong _startTicks;
    private int _isReleased;

    public PtraceHold(int pid, IReadOnlyList<HeldThread> threads, IReadOnlyList<string> notes, Action release)
    {
        // The first thread may have ended long ago, and has no memory then; any other stands for the process.
        _tid = threads.Count == 0 || threads.Any(thread => thread.Tid == pid) ? pid : threads[0].Tid;
        var reader = new ProcessReader(_tid);
        Pid = pid;
        Threads = threads;
        Notes = notes;
        Mappings = reader.ReadMappings() ?? [];
        _startTicks = reader.ReadStat()?.StartTicks ?? 0;
        _memory = new ProcessMemory(_tid);
        _release = release;
    }

    /// <inheritdoc/>
    public int Pid { get; }

    /// <inheritdoc/>
    public IReadOnlyList<HeldThread> Threads { get; }

    /// <inheritdoc/>
    public IReadOnlyList<MemoryMapping> Mappings { get; }

    /// <inheritdoc/>
    public IMemoryReader Memory => _memory;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes { get; }

    /// <inheritdoc/>
    public bool IsThere => new ProcessReader(_tid).ReadStat() is { IsZombie: false } stat && stat.StartTicks == _startTicks
        && _memory.CanReadAny(Mappings);

    /// <inheritdoc/>
    public PageMap OpenPages() => new(_tid);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0)
        {
            _memory.Dispose();
            _release();
        }
    }
}
