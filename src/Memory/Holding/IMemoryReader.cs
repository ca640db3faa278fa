namespace NativeHeap.Memory.Holding;

/// <summary>Reads a process's memory. Safe from several threads.</summary>
public interface IMemoryReader
{
    /// <summary>Copies memory.</summary>
    /// <param name="address">Any number.</param>
    /// <param name="destination">Gets what is there.</param>
    /// <returns>Bytes copied from <paramref name="address"/> on; fewer than asked for where something cannot be read,
    /// 0 when nothing can. Never throws for content.</returns>
    int Read(ulong address, Span<byte> destination);
}
