using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Truth;

/// <summary>
/// Long code without a loop or a call right before the native call: where a garbage collection that wants this thread to
/// stop finds no place to do so, and puts its own address in place of the return address instead.
/// </summary>
internal static class Straight
{
    private static ulong _sum;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run(string kind)
    {
        var trace = new StackTrace(false);
        var (x, y) = (_sum, _sum + 1);
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        x = x * 31 + y; y ^= x >> 7; x += y << 3; y = y * 17 + x;
        _sum = x ^ y;
        var block = Native.Block();
        Ledger.Record(kind, block, trace);
    }
}
