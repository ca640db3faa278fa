using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

/// <summary>A process none of whose threads runs, until this is disposed. Its properties say what was so when it was
/// stopped; they may be read from any thread.</summary>
public interface IHeldProcess : IDisposable
{
    /// <summary>In our pid namespace.</summary>
    int Pid { get; }

    /// <summary>Its threads; one that has ended, or is past its last instruction, is none.</summary>
    IReadOnlyList<HeldThread> Threads { get; }

    /// <summary>Its mappings by rising address.</summary>
    IReadOnlyList<MemoryMapping> Mappings { get; }

    /// <summary>Its memory.</summary>
    IMemoryReader Memory { get; }

    /// <summary>Which of its pages exist. The caller's.</summary>
    PageMap OpenPages();

    /// <summary>What could not be had, for a person: "registers of thread 7 unknown".</summary>
    IReadOnlyList<string> Notes { get; }

    /// <summary>False when it has died meanwhile.</summary>
    bool IsThere { get; }

    /// <summary>Nothing of the process itself is needed any more: where its memory was copied, it goes on.</summary>
    /// <returns>Whether it does; else it stands still until this is disposed.</returns>
    bool GoOnIfCopied() => false;
}
