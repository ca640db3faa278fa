using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Allocations;

/// <summary>
/// Every way to get native memory by one's own hand. Each method makes one call that allocates, on the line that is marked
/// with its name, and keeps the block; nothing else may allocate under it.
/// </summary>
internal static unsafe partial class Ways
{
    /// <summary>Each way with what it requests of the allocator, in bytes, when asked for so many.</summary>
    public static readonly IReadOnlyDictionary<string, (Func<nuint, nint> Call, Func<nuint, nuint> Requests)> All =
        new Dictionary<string, (Func<nuint, nint>, Func<nuint, nuint>)>
        {
            [nameof(ByDllImport)] = (ByDllImport, bytes => bytes),
            [nameof(ByDllImportWithError)] = (ByDllImportWithError, bytes => bytes),
            [nameof(ByLibraryImport)] = (ByLibraryImport, bytes => bytes),
            [nameof(ByMallocOfLibc)] = (ByMallocOfLibc, bytes => bytes),
            [nameof(ByFunctionPointer)] = (ByFunctionPointer, bytes => bytes),
            [nameof(ByDelegate)] = (ByDelegate, bytes => bytes),
            [nameof(ByAlloc)] = (ByAlloc, bytes => bytes),
            [nameof(ByAllocZeroed)] = (ByAllocZeroed, bytes => bytes),
            [nameof(ByAlignedAlloc)] = (ByAlignedAlloc, bytes => (bytes + 63) & ~(nuint)63),
            [nameof(ByRealloc)] = (ByRealloc, bytes => bytes),
            [nameof(ByAllocHGlobal)] = (ByAllocHGlobal, bytes => bytes),
            [nameof(ByReAllocHGlobal)] = (ByReAllocHGlobal, bytes => bytes),
            [nameof(ByAllocCoTaskMem)] = (ByAllocCoTaskMem, bytes => bytes),
            [nameof(ByStringToHGlobalAnsi)] = (ByStringToHGlobalAnsi, letters => (letters + 1) * 3),
            [nameof(ByStringToHGlobalUni)] = (ByStringToHGlobalUni, letters => (letters + 1) * 2),
            [nameof(ByStringToCoTaskMemUTF8)] = (ByStringToCoTaskMemUTF8, letters => ((letters + 1) * 3) + 1),
        };

    private const string Library = "allocate";

    private delegate nint Give(nuint bytes);

    private static readonly delegate* unmanaged<nuint, nint> s_pointer;
    private static readonly Give s_delegate;

    static Ways()
    {
        var path = Environment.GetCommandLineArgs()[1];
        var handle = NativeLibrary.Load(path);
        NativeLibrary.SetDllImportResolver(typeof(Ways).Assembly, (name, _, _) => name == Library ? handle : 0);
        var give = NativeLibrary.GetExport(handle, "give");
        s_pointer = (delegate* unmanaged<nuint, nint>)give;
        s_delegate = Marshal.GetDelegateForFunctionPointer<Give>(give);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByDllImport(nuint bytes) =>
        Kept(Imported(bytes)); // ByDllImport

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByDllImportWithError(nuint bytes) =>
        Kept(ImportedWithError(bytes)); // ByDllImportWithError

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByLibraryImport(nuint bytes) =>
        Kept(Generated(bytes)); // ByLibraryImport

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByMallocOfLibc(nuint bytes) =>
        Kept(Malloc(bytes)); // ByMallocOfLibc

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByFunctionPointer(nuint bytes) =>
        Kept(s_pointer(bytes)); // ByFunctionPointer

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByDelegate(nuint bytes) =>
        Kept(s_delegate(bytes)); // ByDelegate

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByAlloc(nuint bytes) =>
        Kept((nint)NativeMemory.Alloc(bytes)); // ByAlloc

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByAllocZeroed(nuint bytes) =>
        Kept((nint)NativeMemory.AllocZeroed(bytes)); // ByAllocZeroed

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByAlignedAlloc(nuint bytes) =>
        Kept((nint)NativeMemory.AlignedAlloc(bytes, 64)); // ByAlignedAlloc

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByRealloc(nuint bytes) =>
        Kept((nint)NativeMemory.Realloc(null, bytes)); // ByRealloc

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByAllocHGlobal(nuint bytes) =>
        Kept(Marshal.AllocHGlobal((nint)bytes)); // ByAllocHGlobal

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByReAllocHGlobal(nuint bytes) =>
        Kept(Marshal.ReAllocHGlobal(0, (nint)bytes)); // ByReAllocHGlobal

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByAllocCoTaskMem(nuint bytes) =>
        Kept(Marshal.AllocCoTaskMem((int)bytes)); // ByAllocCoTaskMem

    // The runtime asks for the most that so many letters may need.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByStringToHGlobalAnsi(nuint bytes) =>
        Kept(Marshal.StringToHGlobalAnsi(Text(bytes))); // ByStringToHGlobalAnsi

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByStringToHGlobalUni(nuint bytes) =>
        Kept(Marshal.StringToHGlobalUni(Text(bytes))); // ByStringToHGlobalUni

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint ByStringToCoTaskMemUTF8(nuint bytes) =>
        Kept(Marshal.StringToCoTaskMemUTF8(Text(bytes))); // ByStringToCoTaskMemUTF8

    private static string Text(nuint letters) => new('x', (int)letters);

    // What is done with the result stands on the line of the call, so that the line is the call's in any tier.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Kept(nint block) => block != 0 ? block : throw new InvalidOperationException("no block");

    [DllImport(Library, EntryPoint = "give")]
    private static extern nint Imported(nuint bytes);

    [DllImport(Library, EntryPoint = "give", SetLastError = true)]
    private static extern nint ImportedWithError(nuint bytes);

    [LibraryImport(Library, EntryPoint = "give", SetLastError = true)]
    private static partial nint Generated(nuint bytes);

    [DllImport("libc", EntryPoint = "malloc")]
    private static extern nint Malloc(nuint bytes);
}
