namespace NativeHeap.Managed;

/// <summary>
/// One piece of machine code and the method it was compiled from, as the runtime told. Immutable but for what the
/// <see cref="CodeMap"/> that holds it learns later.
/// </summary>
public sealed class MethodCode
{
    /// <summary><see cref="UnloadNs"/> of code that is still there.</summary>
    public const ulong NotUnloaded = ulong.MaxValue;

    /// <summary>First address.</summary>
    public required ulong Start { get; init; }

    /// <summary>Bytes; 0 when the runtime did not tell (ReadyToRun: up to the next method of the image at most).</summary>
    public uint Size { get; internal set; }

    /// <summary>CLOCK_MONOTONIC when it was there first; 0 when it was there before anybody asked.</summary>
    public ulong LoadNs { get; internal set; }

    /// <summary>CLOCK_MONOTONIC when it was given up, or replaced.</summary>
    public ulong UnloadNs { get; internal set; } = NotUnloaded;

    /// <summary>The runtime's number of the method, the same for all its code.</summary>
    public ulong MethodId { get; init; }

    /// <summary>The runtime's number of the module; 0 when it did not tell.</summary>
    public ulong ModuleId { get; internal set; }

    /// <summary>Metadata token (MethodDef); 0 when it has none, or the runtime did not tell.</summary>
    public int Token { get; internal set; }

    /// <summary>Full name of the type in metadata's spelling, with instantiation.</summary>
    public required string Namespace { get; init; }

    /// <summary>Name in metadata's spelling.</summary>
    public required string Name { get; init; }

    /// <summary>Signature in IL's spelling.</summary>
    public required string Signature { get; init; }

    /// <summary>How it was compiled.</summary>
    public CodeTier Tier { get; init; }

    internal IlMap? Map { get; set; }

    /// <summary>The IL offset an address of this code was compiled from; null when it is not known.</summary>
    /// <param name="address">Inside an instruction: a return address less 1.</param>
    public int? FindIlOffset(ulong address) =>
        address < Start || address - Start > int.MaxValue ? null : Map?.Find((int)(address - Start));
}
