using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Graph;

/// <summary>
/// Memory of stacks that nobody will read again: below the stack pointers of threads, and stacks that the C library keeps
/// for threads to come. What they hold are left-overs of calls, and would hide leaks.
/// </summary>
internal sealed class DeadStacks
{
    private const ulong RedZone = 128; // psABI, 3.2.2: below the stack pointer and still in use
    private const int ThreadStructBytes = 0x1000;
    private const int ThreadStructAlignment = 64;
    private const int SearchedBytes = 16 * 1024; // at a stack's end, for the struct of its thread
    private const ulong LargestGuard = 1 << 20;

    private readonly List<ulong> _endedThreads = [];
    private readonly IHeldProcess _held;
    private readonly IReadOnlyDictionary<int, ulong> _stackStarts;

    /// <param name="held">The process.</param>
    /// <param name="stackStarts">Stack pointers to be used instead of a thread's own, by thread: where it began to
    /// end.</param>
    public DeadStacks(IHeldProcess held, IReadOnlyDictionary<int, ulong> stackStarts)
    {
        _held = held;
        _stackStarts = stackStarts;
    }

    /// <summary>Structs of ended threads whose stacks the C library keeps, as <see cref="Find"/> came by them: with such a
    /// stack it keeps what belongs to it.</summary>
    public IReadOnlyList<ulong> EndedThreads => _endedThreads;

    /// <summary>The stack pointer that counts for a thread.</summary>
    public ulong StackPointer(HeldThread thread) =>
        _stackStarts.TryGetValue(thread.Tid, out var start) ? start : thread.Registers?.StackPointer ?? 0;

    /// <summary>Finds it all.</summary>
    /// <param name="isInBlock">Whether an address lies in a block: what runs there is a coroutine, and its stack the
    /// program's own.</param>
    public IEnumerable<AddressRange> Find(Func<ulong, bool> isInBlock)
    {
        var inUse = new HashSet<MemoryMapping>();
        foreach (var thread in _held.Threads.Where(thread => thread.Registers is not null))
        {
            var pointer = StackPointer(thread);
            if (MappingOf(pointer) is not { } mapping)
            {
                continue;
            }

            inUse.Add(mapping);
            var used = pointer - (thread.Registers!.IsInSystemCall ? 0 : RedZone);
            if (!isInBlock(pointer) && Start(mapping, pointer, thread.Registers.ThreadPointer) is { } start && start < used)
            {
                yield return new AddressRange(start, used);
            }
        }

        foreach (var mapping in _held.Mappings)
        {
            if (mapping.Path == "[stack]" && _held.Threads.All(thread => thread.Tid != _held.Pid))
            {
                yield return new AddressRange(mapping.Start, mapping.End);
            }
            else if (!inUse.Contains(mapping) && HasGuard(mapping) && FindEndedThread(mapping) is { } thread)
            {
                _endedThreads.Add(thread);
                yield return new AddressRange(mapping.Start, mapping.End);
            }
        }
    }

    /// <summary>Memory that the stacks of threads lie in, dead parts included.</summary>
    public IEnumerable<AddressRange> InUse() => _held.Threads
        .Select(thread => MappingOf(StackPointer(thread)))
        .OfType<MemoryMapping>().Distinct()
        .Select(mapping => new AddressRange(mapping.Start, mapping.End));

    private MemoryMapping? MappingOf(ulong address) =>
        _held.Mappings.FirstOrDefault(mapping => address - mapping.Start < mapping.Size);

    // Where a stack begins, as far as that is certain.
    private ulong? Start(MemoryMapping mapping, ulong pointer, ulong thread)
    {
        if (mapping.Path == "[stack]" || HasGuard(mapping))
        {
            return mapping.Start;
        }

        // pthread_create notes in the thread's struct, at the stack's other end, where the stack lies and its size.
        Span<ulong> words = stackalloc ulong[ThreadStructBytes / sizeof(ulong)];
        var count = mapping.Start <= thread && thread < mapping.End ? _held.Memory.ReadWords(thread, words) : 0;
        for (var i = 0; i + 1 < count; i++)
        {
            var (start, bytes) = (words[i], words[i + 1]);
            if (start >= mapping.Start && start <= pointer && bytes <= mapping.End - start && pointer < start + bytes
                && thread > pointer && thread < start + bytes && start % PageMap.PageBytes == 0)
            {
                return start;
            }
        }

        return null;
    }

    private bool HasGuard(MemoryMapping mapping) => mapping.Path.Length == 0 && mapping is { IsWritable: true, IsShared: false }
        && _held.Mappings.Any(other => other.End == mapping.Start
            && other is { IsReadable: false, IsWritable: false, IsExecutable: false, Path.Length: 0 }
            && other.Size <= LargestGuard);

    // The struct of a thread begins with its own address, and has it again two words on (tcbhead_t of glibc).
    private ulong? FindEndedThread(MemoryMapping mapping)
    {
        var bytes = Math.Min(mapping.Size, SearchedBytes);
        var start = mapping.End - bytes;
        var words = new ulong[bytes / sizeof(ulong)];
        var count = _held.Memory.ReadWords(start, words);
        for (var i = 0; i + 2 < count; i += ThreadStructAlignment / sizeof(ulong))
        {
            var address = start + ((ulong)i * sizeof(ulong));
            if (words[i] == address && words[i + 2] == address)
            {
                var isEnded = _held.Threads.All(
                    thread => thread.Registers is { } registers && registers.ThreadPointer != address);
                return isEnded ? address : null;
            }
        }

        return null;
    }
}
