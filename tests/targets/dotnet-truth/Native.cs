using System.Runtime.InteropServices;

namespace Truth;

/// <summary>Every way to call the native half (probe.c), by how the runtime makes the call.</summary>
internal static unsafe partial class Native
{
    private const string Library = "truth_probe";

    /// <summary>Called by native code through a stub that the runtime makes for the delegate.</summary>
    public delegate void Callback(int argument);

    public delegate nint Allocate();

    public static delegate* unmanaged<nint> BlockPointer { get; private set; }

    public static delegate* unmanaged[SuppressGCTransition]<nint> BlockPointerWithoutTransition { get; private set; }

    public static Allocate BlockDelegate { get; private set; } = null!;

    public static void Load(string path)
    {
        var handle = NativeLibrary.Load(path);
        NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, (name, _, _) => name == Library ? handle : 0);
        var block = NativeLibrary.GetExport(handle, "truth_block");
        BlockPointer = (delegate* unmanaged<nint>)block;
        BlockPointerWithoutTransition = (delegate* unmanaged[SuppressGCTransition]<nint>)block;
        BlockDelegate = Marshal.GetDelegateForFunctionPointer<Allocate>(block);
    }

    // Blittable: the call is inlined into optimized callers.
    [DllImport(Library, EntryPoint = "truth_block")]
    public static extern nint Block();

    [SuppressGCTransition]
    [DllImport(Library, EntryPoint = "truth_block")]
    public static extern nint BlockWithoutTransition();

    // Each of these needs an IL stub.
    [DllImport(Library, EntryPoint = "truth_block", SetLastError = true)]
    public static extern nint BlockWithError();

    [DllImport(Library, EntryPoint = "truth_block_text", CharSet = CharSet.Ansi)]
    public static extern nint BlockText(string text, [In, Out] int[] numbers, int count);

    [DllImport(Library, EntryPoint = "truth_block_wide", CharSet = CharSet.Unicode)]
    public static extern nint BlockWide(string text);

    [DllImport(Library, EntryPoint = "truth_block_after")]
    public static extern nint BlockAfter(Callback call, int argument);

    // The stub of these two is C#, made by the compiler.
    [LibraryImport(Library, EntryPoint = "truth_block", SetLastError = true)]
    public static partial nint GeneratedBlockWithError();

    [LibraryImport(Library, EntryPoint = "truth_block_text", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint GeneratedBlockText(string text, [In, Out] int[] numbers, int count);

    [DllImport(Library, EntryPoint = "truth_call")]
    public static extern void Call(int depth, Callback call, int argument);

    [DllImport(Library, EntryPoint = "truth_call")]
    public static extern void Call(int depth, delegate* unmanaged<int, void> call, int argument);

    [DllImport(Library, EntryPoint = "truth_thread")]
    public static extern int RunThread(delegate* unmanaged<int, void> call, int argument);

    [DllImport(Library, EntryPoint = "truth_thread")]
    public static extern int RunThread(Callback call, int argument);

    [DllImport("libc", EntryPoint = "qsort")]
    public static extern void Sort(int* items, nuint count, nuint size, delegate* unmanaged<int*, int*, int> compare);
}
