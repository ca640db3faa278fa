namespace NativeHeap.Collect.Heap;

/// <summary>What one order number stands for.</summary>
internal enum OperationKind : byte
{
    /// <summary>A block is born.</summary>
    Birth,

    /// <summary>A block is freed.</summary>
    Death,

    /// <summary>Nothing happened to the address (a realloc that failed); only the number is used up.</summary>
    Nothing,

    /// <summary>The program wants no leak to be made of the block.</summary>
    Ignored,
}

/// <summary>One numbered operation on an address, on its way from a ring to the live table.</summary>
internal struct HeapOperation
{
    public ulong Address;

    /// <summary>Size of a birth; also of a sample's death, as the shim remembers it.</summary>
    public ulong Bytes;

    /// <summary>Pass in which it was read.</summary>
    public long Pass;

    /// <summary>Leaf of a birth.</summary>
    public uint Node;

    /// <summary>Number in the address's stripe.</summary>
    public uint Order;

    /// <summary>Milliseconds since the trace's start.</summary>
    public uint TimeMs;

    /// <summary>The ring's stream within its process.</summary>
    public int Stream;

    public ushort Thread;

    public OperationKind Kind;

    /// <summary>Number of the rate of a sample's birth or death (<see cref="SampleRates"/>); 0: it is none.</summary>
    public byte Rate;

    /// <summary>A death while births are sampled: of a block that may never have been recorded.</summary>
    public bool AmongSamples;

    /// <summary>It was parked.</summary>
    public bool Delayed;

    /// <summary>A death by the thread whose last allocation this was.</summary>
    public bool Temporary;
}
