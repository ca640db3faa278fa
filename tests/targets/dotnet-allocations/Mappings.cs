using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Allocations;

/// <summary>Memory that is mapped by P/Invoke, under methods of known names.</summary>
internal static partial class Mappings
{
    private const int ReadWrite = 3, PrivateAnonymous = 0x22;
    private const nuint Bytes = 1 << 20;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint at, nuint bytes, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint at, nuint bytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static nint Keep() => Map(0, Bytes, ReadWrite, PrivateAnonymous, -1, 0);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int GiveBack() => Unmap(Map(0, Bytes, ReadWrite, PrivateAnonymous, -1, 0), Bytes);
}
