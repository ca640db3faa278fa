using Microsoft.Win32.SafeHandles;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

/// <summary>
/// A process's memory by process_vm_readv(2), which copies at several GB a second, and by /proc/PID/mem where that fails:
/// it also reads pages without any permission. Both pass the access check of ptrace(2).
/// </summary>
public sealed unsafe class ProcessMemory : IMemoryReader, IDisposable
{
    private readonly int _pid;
    private readonly SafeFileHandle? _file;

    /// <summary>A reader of a process's memory as long as it keeps this image.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public ProcessMemory(int pid)
    {
        _pid = pid;
        _file = Libc.OpenForReading($"/proc/{pid}/mem", out _);
    }

    /// <summary>Whether anything can be read at all. A process that ends loses its memory before it counts as
    /// ended.</summary>
    /// <param name="mappings">What it has mapped.</param>
    public bool CanReadAny(IReadOnlyList<MemoryMapping> mappings)
    {
        Span<byte> one = stackalloc byte[1];
        return mappings.FirstOrDefault(mapping => mapping.IsReadable) is { } readable && Read(readable.Start, one) == 1;
    }

    /// <inheritdoc/>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var rest = destination[done..];
            var count = ReadSome(address + (ulong)done, rest);
            if (count <= 0)
            {
                break;
            }

            done += count;
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private int ReadSome(ulong address, Span<byte> to)
    {
        fixed (byte* start = to)
        {
            var local = new Libc.Vector { Start = start, Bytes = (nuint)to.Length };
            var remote = new Libc.Vector { Start = (void*)address, Bytes = (nuint)to.Length };
            var count = Libc.ReadProcess(_pid, &local, 1, &remote, 1, 0);
            if (count > 0)
            {
                return (int)count;
            }

            return _file is null || address > long.MaxValue
                ? 0
                : (int)Libc.ReadAt(_file, start, (nuint)to.Length, (long)address);
        }
    }
}
