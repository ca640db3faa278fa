using System.Buffers.Text;
using System.Runtime.CompilerServices;
using NativeHeap.Memory.Malloc;

namespace NativeHeap.Memory.Proc;

/// <summary>
/// Sorts the entries of smaps into the parts of <see cref="ResidentMemory"/>. A thread's stack is anonymous memory that
/// holds the stack pointer of a thread (where we may look) or stands right above an inaccessible page or a few, which
/// is how pthread_create lays them out.
/// </summary>
/// <param name="stackPointers">Stack pointers of threads, rising; as many as are known.</param>
/// <param name="malloc">What malloc has.</param>
internal sealed class ResidentMemoryReader(ulong[] stackPointers, MallocMemory malloc)
{
    // .NET's collector reserves 256 GB or twice the machine's memory at once, and commits parts of it (GCRegionRange of
    // src/coreclr/gc/gcconfig.h in dotnet/runtime); with a hard limit of the heap, a few times that.
    private const ulong LeastReservation = 32UL << 30;

    private const ulong LargestGuard = 64 * 1024;

    private readonly List<AnonymousMapping> _mappings = []; // of _anonymous
    private readonly AddressRange[] _ranges = [.. malloc.Arenas.Concat(malloc.Large).OrderBy(range => range.Start)];
    private int _runFirst; // of _mappings
    private long _runCommitted;
    private long _committed; // of the large reservations
    private MemoryMapping? _current;
    private MemoryMapping? _previous;
    private long _files;
    private long _malloc;
    private long _anonymous;
    private long _reserved; // of _anonymous: in reservations that are large enough for a collector's
    private ulong _runStart;
    private ulong _runEnd;
    private bool _runHasHole;
    private long _runBytes; // resident in the run, of _anonymous
    private bool _hasRuntime;
    private bool _hasPython;
    private long _stacks;
    private long _shared;
    private long _jit;
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
                ref var part = ref Part(_current);
                part += kibibytes * 1024;
                if (Unsafe.AreSame(ref part, ref _anonymous))
                {
                    _runBytes += kibibytes * 1024;
                    _mappings.Add(new AnonymousMapping(
                        new AddressRange(_current.Start, _current.End), kibibytes * 1024, IsGcHeap: false));
                }
            }
        }
        else if (line.Length > 0 && line[0] is (>= (byte)'0' and <= (byte)'9') or (>= (byte)'a' and <= (byte)'f')
            && MemoryMapping.Parse(line) is { } mapping)
        {
            _previous = _current;
            _current = mapping;
            _hasRuntime |= mapping.Path.EndsWith("/libcoreclr.so", StringComparison.Ordinal);
            _hasPython |= Path.GetFileName(mapping.Path.AsSpan()).Contains("python", StringComparison.Ordinal);
            Join(mapping);
        }
    }

    internal ResidentMemory Finish(long rssBytes)
    {
        EndRun();
        var collector = _hasRuntime ? _reserved : 0;
        return new(rssBytes, _files, _malloc, collector, _anonymous - collector, _stacks, _shared, _jit, _profiler, _other)
        {
            GcCommittedBytes = _hasRuntime ? _committed : 0,
            HasPython = _hasPython,
            Malloc = malloc,
            Anonymous = _hasRuntime ? _mappings : [.. _mappings.Select(mapping => mapping with { IsGcHeap = false })],
        };
    }

    // A reservation shows as anonymous mappings without a gap, of which most may not be touched.
    private void Join(MemoryMapping mapping)
    {
        var isAnonymous = mapping.Path.Length == 0 || mapping.Path.StartsWith("[anon:", StringComparison.Ordinal);
        if (!isAnonymous || mapping.Start != _runEnd)
        {
            EndRun();
            _runStart = mapping.Start;
        }

        _runEnd = isAnonymous ? mapping.End : 0;
        _runHasHole |= isAnonymous && !mapping.IsReadable && !mapping.IsWritable;
        _runCommitted += isAnonymous && mapping.IsWritable ? (long)mapping.Size : 0;
    }

    private void EndRun()
    {
        if (_runHasHole && _runEnd - _runStart >= LeastReservation)
        {
            _reserved += _runBytes;
            _committed += _runCommitted;
            for (var i = _runFirst; i < _mappings.Count; i++)
            {
                _mappings[i] = _mappings[i] with { IsGcHeap = true };
            }
        }

        (_runHasHole, _runBytes, _runCommitted, _runFirst) = (false, 0, 0, _mappings.Count);
    }

    private bool IsMalloc(MemoryMapping mapping)
    {
        int low = 0, high = _ranges.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (_ranges[middle].Contains(mapping.Start))
            {
                return true;
            }

            (low, high) = _ranges[middle].Start > mapping.Start ? (low, middle - 1) : (middle + 1, high);
        }

        return false;
    }

    private static bool IsProfiler(string path) =>
        path.StartsWith("/memfd:nativeheap", StringComparison.Ordinal)
        || path.StartsWith("[anon:nativeheap", StringComparison.Ordinal)
        || path.EndsWith("/libnativeheap.so", StringComparison.Ordinal);

    // Of .NET (src/coreclr/minipal/Unix/doublemapping.cpp of dotnet/runtime), where writable code is not allowed.
    private static bool IsJit(string path) => path.StartsWith("/memfd:doublemapper", StringComparison.Ordinal);

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

        if (IsJit(path))
        {
            return ref _jit;
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
            if (mapping.IsExecutable)
            {
                return ref _jit;
            }

            return ref IsMalloc(mapping) ? ref _malloc : ref IsThreadStack(mapping) ? ref _stacks : ref _anonymous;
        }

        if (path == "[heap]")
        {
            return ref _malloc;
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
