using Microsoft.Win32.SafeHandles;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>
/// A region: memory that a target and the collector map. It is sealed against shrinking, so that no target can make a
/// read of ours fault. Owned by whoever made it.
/// </summary>
internal sealed unsafe class SharedRegion : IRegionMemory
{
    private readonly OwnerMark _owner;
    private byte* _start;
    private bool _isSealed;

    private SharedRegion(SafeFileHandle memory, string name, byte* start, ulong bytes)
    {
        Memory = memory;
        Name = name;
        Bytes = bytes;
        _start = start;
        View = new RegionView(start, bytes);
        _owner = new OwnerMark((uint*)View.Owner);
    }

    /// <summary>It is about to be unmapped.</summary>
    public event Action? Released;

    /// <summary>The memory's descriptor, to be handed over.</summary>
    public SafeFileHandle Memory { get; }

    /// <summary>What the kernel shows as the mapping's path: <c>/memfd:</c> and this.</summary>
    public string Name { get; }

    /// <summary>Its size.</summary>
    public ulong Bytes { get; }

    /// <summary>Bounded access.</summary>
    public RegionView View { get; }

    /// <summary>Makes a region, or returns null with <see cref="Libc.Error"/> set.</summary>
    /// <param name="layout">Its sizes.</param>
    /// <param name="name">Unique among regions.</param>
    /// <param name="sampleBytes">Mean bytes between samples; 0: exact.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <param name="mappings">Whether mappings are recorded, too.</param>
    public static SharedRegion? Create(
        RegionLayout layout, string name, ulong sampleBytes, ulong clockNs, bool mappings = false)
    {
        var memory = Libc.CreateMemory(name);
        if (memory.IsInvalid || !Libc.Resize(memory, layout.RegionBytes) || !Libc.SealSize(memory))
        {
            memory.Dispose();
            return null;
        }
        var start = Libc.MapWhole(memory, layout.RegionBytes);
        if (start == null)
        {
            memory.Dispose();
            return null;
        }
        layout.Write(start, sampleBytes, clockNs, mappings);
        return new SharedRegion(memory, name, start, layout.RegionBytes);
    }

    /// <summary>Whether any process but us has it mapped: a forked child that never allocated is known to nobody else.
    /// For the thread that reads the region; what others write into it meanwhile (the clock) may be lost.</summary>
    /// <remarks>The kernel refuses F_SEAL_WRITE while there is a writable shared mapping (fcntl(2)), so we take ours
    /// away and try. Once that has succeeded there will never be another one.</remarks>
    public bool IsMappedByOthers()
    {
        if (_start == null || _isSealed)
        {
            return false;
        }
        if (!Libc.Cover(_start, Bytes))
        {
            return true;
        }
        _isSealed = Libc.SealContents(Memory);
        if (!_isSealed && !Libc.Uncover(_start, Memory, Bytes))
        {
            // Only without memory for a mapping's record. What the targets write from now on is lost to us.
            throw new InvalidOperationException("a region could not be mapped again");
        }
        return !_isSealed;
    }

    /// <inheritdoc/>
    public MappedCopyWindow? OpenCopyWindow(TimeSpan patience) => View.CopyOffset == 0 || _start == null ? null
        : MappedCopyWindow.Open(Memory, View.CopyOffset, patience);

    /// <summary>Makes it look like the region of a process whose shim is off.</summary>
    public void MarkUnrecorded() => View.SlotAt(0)->OffReason = (uint)OffReason.NoThreadState;

    /// <summary>Asks the target that gets it to have a .NET runtime wait for us. Before it is handed over.</summary>
    public void AwaitRuntime() => View.AwaitRuntime();

    /// <summary>Gives the owner word up and unmaps; nobody may use <see cref="View"/> any more.</summary>
    public void Dispose()
    {
        if (_start == null)
        {
            return;
        }
        Released?.Invoke();
        _owner.Dispose();
        Libc.Unmap(_start, Bytes);
        _start = null;
        Memory.Dispose();
    }
}
