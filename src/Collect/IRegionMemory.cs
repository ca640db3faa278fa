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
}
