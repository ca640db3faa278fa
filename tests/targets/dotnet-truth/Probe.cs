using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Truth;

/// <summary>
/// Where a stack is taken twice at one moment: by the runtime (StackTrace) and, in the native call of the same method, by
/// whoever watches malloc. Nothing here may be inlined or call on as a tail call.
/// </summary>
internal static unsafe class Probe
{
    private const int Ways = 9;

    private static int _next;

    /// <summary>A stack by the next way to call native code; all ways come in turn.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Here(string kind)
    {
        switch ((uint)Interlocked.Increment(ref _next) % Ways)
        {
            case 0: Inlined(kind); break;
            case 1: WithoutTransition(kind); break;
            case 2: WithError(kind); break;
            case 3: Marshalled(kind); break;
            case 4: Generated(kind); break;
            case 5: Pointer(kind); break;
            case 6: Delegate(kind); break;
            case 7: Straight.Run(kind); break;
            default: Memory(kind); break;
        }
        Interlocked.MemoryBarrier();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Inlined(string kind)
    {
        var trace = new StackTrace(false);
        var block = Native.Block();
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WithoutTransition(string kind)
    {
        var trace = new StackTrace(false);
        var block = Native.BlockWithoutTransition();
        Ledger.Record(kind, block, trace);
        trace = new StackTrace(false);
        block = Native.BlockPointerWithoutTransition();
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WithError(string kind)
    {
        var trace = new StackTrace(false);
        var block = Native.BlockWithError();
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Marshalled(string kind)
    {
        int[] numbers = [1, 2, 3];
        var trace = new StackTrace(false);
        var block = Native.BlockText(kind, numbers, numbers.Length);
        Ledger.Record(kind, block, trace);
        trace = new StackTrace(false);
        block = Native.BlockWide(kind);
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Generated(string kind)
    {
        int[] numbers = [1, 2, 3];
        var trace = new StackTrace(false);
        var block = Native.GeneratedBlockText(kind, numbers, numbers.Length);
        Ledger.Record(kind, block, trace);
        trace = new StackTrace(false);
        block = Native.GeneratedBlockWithError();
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Pointer(string kind)
    {
        var trace = new StackTrace(false);
        var block = Native.BlockPointer();
        Ledger.Record(kind, block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Delegate(string kind)
    {
        var trace = new StackTrace(false);
        var block = Native.BlockDelegate();
        Ledger.Record(kind, block, trace);
    }

    // Through framework code that is ReadyToRun, down to libSystem.Native.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Memory(string kind)
    {
        var trace = new StackTrace(false);
        var block = (nint)NativeMemory.Alloc(24);
        Ledger.Record(kind, block, trace);
        trace = new StackTrace(false);
        block = Marshal.AllocHGlobal(24);
        Ledger.Record(kind, block, trace);
    }
}
