using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>The mapping behind a region. The recording that it was attached to disposes it.</summary>
public interface IRegionMemory : IDisposable
{
    /// <summary>Bounded access to it.</summary>
    RegionView View { get; }

    /// <summary>Whether any process but us has it mapped: a forked child that has not allocated yet is known to nobody
    /// else. True when it cannot be told.</summary>
    bool IsMappedByOthers();

    /// <summary>Maps the part through which a copy of a process hands its memory over once more, for longer than the region
    /// may live. The caller's; null when there is none, or no memory.</summary>
    /// <param name="patience">How long an answer may take.</param>
    MappedCopyWindow? OpenCopyWindow(TimeSpan patience);
}
