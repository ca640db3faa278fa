using System.Runtime.InteropServices;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed;

/// <summary>
/// Reads a process that may end at any moment: what it had cannot be read any more then, and that is no error. ClrMD's
/// own reader throws, also where the runtime's library calls it back, and an exception that leaves such a call ends us.
/// As thread-safe as the reader it stands before.
/// </summary>
internal sealed class MortalReader(IDataReader inner) : IDataReader
{
    public string DisplayName => inner.DisplayName;

    public bool IsThreadSafe => inner.IsThreadSafe;

    public OSPlatform TargetPlatform => inner.TargetPlatform;

    public Architecture Architecture => inner.Architecture;

    public int ProcessId => inner.ProcessId;

    public int PointerSize => inner.PointerSize;

    public IEnumerable<ModuleInfo> EnumerateModules() => inner.EnumerateModules();

    public void FlushCachedData() => inner.FlushCachedData();

    public bool GetThreadContext(uint threadID, uint contextFlags, Span<byte> context)
    {
        try
        {
            return inner.GetThreadContext(threadID, contextFlags, context);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    public int Read(ulong address, Span<byte> buffer)
    {
        try
        {
            return inner.Read(address, buffer);
        }
        catch (InvalidOperationException)
        {
            return 0;
        }
    }

    public bool Read<T>(ulong address, out T value)
        where T : unmanaged
    {
        value = default;
        var bytes = MemoryMarshal.AsBytes(new Span<T>(ref value));
        if (Read(address, bytes) == bytes.Length)
        {
            return true;
        }

        value = default;
        return false;
    }

    public T Read<T>(ulong address)
        where T : unmanaged
    {
        Read(address, out T value);
        return value;
    }

    public bool ReadPointer(ulong address, out ulong value) => Read(address, out value);

    public ulong ReadPointer(ulong address) => Read<ulong>(address);
}
