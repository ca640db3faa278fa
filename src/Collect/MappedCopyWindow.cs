using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Server;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>A mapping of a region's <see cref="CopyWindow"/> of its own, so that the region may go meanwhile.</summary>
public sealed unsafe class MappedCopyWindow : IDisposable
{
    private byte* _start;

    private MappedCopyWindow(byte* start, TimeSpan patience)
    {
        _start = start;
        Window = new CopyWindow(start, patience);
    }

    /// <summary>Not to be used after <see cref="Dispose"/>.</summary>
    public CopyWindow Window { get; }

    /// <summary>Maps it; null when there is no memory.</summary>
    internal static MappedCopyWindow? Open(SafeFileHandle memory, ulong offset, TimeSpan patience) =>
        Libc.MapPart(memory, offset, CopyWindow.WholeBytes) is var start && start != null
            ? new MappedCopyWindow(start, patience)
            : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start != null)
        {
            Libc.Unmap(_start, CopyWindow.WholeBytes);
            _start = null;
        }
    }
}
