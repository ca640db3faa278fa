// Native blocks that managed code holds in every way there is, and some whose holder is dead. Each kind has a size of its
// own; the name of the method that allocates says what should be found.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Targets;

internal sealed class Block(nint address)
{
    public nint Address { get; } = address;
}

internal sealed class OwningHandle : SafeHandle
{
    public OwningHandle(nint address)
        : base(0, ownsHandle: true) => SetHandle(address);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Marshal.FreeHGlobal(handle);
        return true;
    }
}

internal static class Program
{
    private const int Each = 20;

    private static readonly List<SafeHandle> Handles = [];
    private static readonly nint[] Array = new nint[Each];
    private static readonly List<Func<nint>> Closures = [];
    private static readonly List<Task> Tasks = [];
    private static readonly TaskCompletionSource Never = new();
    private static GCHandle _pinned;
    private static nint _static;
    private static object? _weak;

    private static void Main()
    {
        for (var i = 0; i < Each; i++)
        {
            Handles.Add(new OwningHandle(HeldBySafeHandle()));
            Array[i] = HeldByArray();
            var captured = HeldByClosure();
            Closures.Add(() => captured);
            Tasks.Add(Wait());
            LoseObject();
            LoseHandle();
        }

        var pinned = new nint[1];
        pinned[0] = HeldByPinned();
        _pinned = GCHandle.Alloc(pinned, GCHandleType.Pinned);
        _static = HeldByStatic();
        HoldWeakly();
        Overwrite(64);
        Console.WriteLine($"{Handles.Count} {Array.Length} {Closures.Count} {Tasks.Count} {_pinned.IsAllocated} {_static != 0}");
    }

    // Cleared to its very end, which lies behind what was asked for: left-overs in it would be pointers.
    private static unsafe nint Allocate(int bytes)
    {
        var block = Marshal.AllocHGlobal(bytes);
        NativeMemory.Clear((void*)block, UsableBytes(block));
        return block;
    }

    [DllImport("libc", EntryPoint = "malloc_usable_size")]
    private static extern nuint UsableBytes(nint block);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldBySafeHandle() => Allocate(1001);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldByArray() => Allocate(1002);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldByClosure() => Allocate(1003);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldByStateMachine() => Allocate(1004);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldByPinned() => Allocate(1005);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint HeldByStatic() => Allocate(1006);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint LostWithObject() => Allocate(2001);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint LostWithWeakHandle() => Allocate(2002);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint LostWithSafeHandle() => Allocate(2003);

    private static async Task Wait()
    {
        var block = HeldByStateMachine();
        await Never.Task;
        Marshal.FreeHGlobal(block);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseObject() => GC.KeepAlive(new Block(LostWithObject()));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoseHandle() => GC.KeepAlive(new OwningHandle(LostWithSafeHandle()));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void HoldWeakly() => _weak = new WeakReference(new Block(LostWithWeakHandle()));

    // What calls have left on the stack.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Overwrite(int depth)
    {
        Span<long> dead = stackalloc long[64];
        dead.Clear();
        if (depth > 0)
        {
            Overwrite(depth - 1);
        }

        GC.KeepAlive(_weak);
    }
}
