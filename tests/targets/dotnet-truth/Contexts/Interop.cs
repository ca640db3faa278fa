using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Truth.Contexts;

/// <summary>Native code calls back, and managed code calls on.</summary>
internal static unsafe class Interop
{
    private static readonly Native.Callback s_callback = FromDelegate;

    public static void Run(int round)
    {
        Native.Call(round % 5, &FromPointer, round);
        Native.Call(round % 4, s_callback, round);
        var state = round;
        Native.Call(1, argument => Probe.Here(argument == state ? "reverse P/Invoke by a closure" : ""), round);
        Nested(3);
        int[] numbers = [3, 1, 2];
        fixed (int* first = numbers)
        {
            Native.Sort(first, (nuint)numbers.Length, sizeof(int), &Compare);
        }
        AfterCallback(round);
    }

    // Two blocks from one native frame, by way of the callback and by itself.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AfterCallback(int round)
    {
        var trace = new StackTrace(false);
        var block = Native.BlockAfter(s_callback, round);
        Ledger.Record("native call after its callback", block, trace);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Nested(int depth)
    {
        if (depth == 0)
        {
            Probe.Here("nested reverse P/Invoke");
        }
        else
        {
            Native.Call(depth, &NestedBack, depth - 1);
        }
    }

    [UnmanagedCallersOnly]
    private static void NestedBack(int depth) => Nested(depth);

    [UnmanagedCallersOnly]
    private static void FromPointer(int argument) => Probe.Here("UnmanagedCallersOnly");

    private static void FromDelegate(int argument) => Probe.Here("reverse P/Invoke by a delegate");

    [UnmanagedCallersOnly]
    private static int Compare(int* a, int* b)
    {
        Probe.Here("comparison for qsort");
        return *a - *b;
    }
}
