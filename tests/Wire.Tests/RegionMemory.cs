using System.Runtime.InteropServices;

namespace NativeHeap.Wire.Tests;

/// <summary>Memory for a region, with pages before and after it that fault when they are touched.</summary>
internal sealed unsafe partial class RegionMemory : IDisposable
{
    private const int None = 0;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;
    private const ulong Page = 4096;

    private readonly nint _mapping;
    private readonly ulong _mapped;

    public RegionMemory(ulong bytes)
    {
        Bytes = bytes;
        _mapped = bytes + (2 * Page);
        _mapping = Map(0, (nuint)_mapped, None, PrivateAnonymous, -1, 0);
        Start = (byte*)_mapping + Page;
        Assert.Equal(0, Protect((nint)Start, (nuint)bytes, ReadWrite));
    }

    public ulong Bytes { get; }

    public byte* Start { get; }

    public Span<byte> Span => new(Start, (int)Bytes);

    public static RegionShape Shape => new(3, 1, 4, 5, 64, 6);

    /// <summary>A region with rings of 4 KiB, ready to be used.</summary>
    public static RegionMemory Make()
    {
        var layout = new RegionLayout(Shape, 4096, keepsBlocks: true);
        var memory = new RegionMemory(layout.RegionBytes);
        layout.Write(memory.Start, 0, 1);
        return memory;
    }

    public void Dispose() => Assert.Equal(0, Unmap(_mapping, (nuint)_mapped));

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
