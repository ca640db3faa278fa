namespace NativeHeap.Memory;

/// <summary>Addresses from <paramref name="Start"/> to before <paramref name="End"/>.</summary>
/// <param name="Start">The first.</param>
/// <param name="End">One past the last.</param>
public readonly record struct AddressRange(ulong Start, ulong End)
{
    /// <summary>Bytes.</summary>
    public ulong Bytes => End - Start;

    /// <summary>Whether an address lies in it.</summary>
    public bool Contains(ulong address) => address - Start < End - Start;
}
