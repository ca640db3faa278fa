using System.Buffers.Text;

namespace NativeHeap.Memory.Proc;

/// <summary>
/// Sorts the entries of smaps into the parts of <see cref="ResidentMemory"/>. A thread's stack is anonymous memory that
/// holds the stack pointer of a thread (where we may look) or stands right above an inaccessible page or a few, which
/// is how pthread_create lays them out.
/// </summary>
/// <param name="stackPointers">Stack pointers of threads, rising; as many as are known.</param>
internal sealed class ResidentMemoryReader(ulong[] stackPointers)
{
    private const ulong LargestGuard = 64 * 1024;

    private MemoryMapping? _current;
    private MemoryMapping? _previous;
    private long _files;
    private long _heap;
    private long _stacks;
    private long _shared;
    private long _profiler;
    private long _other;

    /// <summary>True when at least one mapping was seen: the memory of a zombie reads as an empty file.</summary>
    internal bool HasMappings => _current is not null;

    /// <summary>Takes one line of smaps.</summary>
    internal void Take(ReadOnlySpan<byte> line)
    {
        if (line.StartsWith("Rss:"u8))
        {
            if (_current is not null
                && Utf8Parser.TryParse(line[4..].TrimStart((byte)' '), out long kibibytes, out _)
                && kibibytes is >= 0 and <= long.MaxValue / 1024)
            {
                Part(_current) += kibibytes * 1024;
            }
        }
        else if (line.Length > 0 && line[0] is (>= (byte)'0' and <= (byte)'9') or (>= (byte)'a' and <= (byte)'f')
            && MemoryMapping.Parse(line) is { } mapping)
        {
            _previous = _current;
            _current = mapping;
        }
    }

    internal ResidentMemory Finish(long rssBytes) => new(rssBytes, _files, _heap, _stacks, _shared, _profiler, _other);

    private static bool IsProfiler(string path) =>
        path.StartsWith("/memfd:nativeheap", StringComparison.Ordinal)
        || path.StartsWith("[anon:nativeheap", StringComparison.Ordinal)
        || path.EndsWith("/libnativeheap.so", StringComparison.Ordinal);

    private static bool IsSharedMemory(string path) =>
        path.StartsWith("/memfd:", StringComparison.Ordinal)
        || path.StartsWith("/dev/shm/", StringComparison.Ordinal)
        || path.StartsWith("/dev/zero", StringComparison.Ordinal)
        || path.StartsWith("/SYSV", StringComparison.Ordinal)
        || path.StartsWith("[anon_shmem:", StringComparison.Ordinal);

    private ref long Part(MemoryMapping mapping)
    {
        var path = mapping.Path;
        if (IsProfiler(path))
        {
            return ref _profiler;
        }

        if (IsSharedMemory(path))
        {
            return ref _shared;
        }

        if (path.StartsWith("[stack", StringComparison.Ordinal))
        {
            return ref _stacks;
        }

        if (path.Length == 0 || path.StartsWith("[anon:", StringComparison.Ordinal))
        {
            return ref IsThreadStack(mapping) ? ref _stacks : ref _heap;
        }

        if (path == "[heap]")
        {
            return ref _heap;
        }

        var file = path[0] == '/' && !path.StartsWith("/dev/", StringComparison.Ordinal);
        return ref file ? ref _files : ref _other;
    }

    private bool IsThreadStack(MemoryMapping mapping)
    {
        if (!mapping.IsWritable || mapping.IsShared)
        {
            return false;
        }

        var at = Array.BinarySearch(stackPointers, mapping.Start);
        at = at < 0 ? ~at : at;
        if (at < stackPointers.Length && stackPointers[at] < mapping.End)
        {
            return true;
        }

        return _previous is { IsReadable: false, IsWritable: false, IsExecutable: false, Path.Length: 0 }
            && _previous.End == mapping.Start && _previous.Size <= LargestGuard;
    }
}
