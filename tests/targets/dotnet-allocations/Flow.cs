using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Allocations;

/// <summary>
/// Hazard: calls whose results flow into later statements, which the runtime's map of IL to native code has no entries for.
/// Each call that is marked with a number allocates as many bytes. Statements have a line each: the PDB knows no more.
/// </summary>
internal static unsafe partial class Flow
{
    private static nint _kept;

    public static void Run(int round)
    {
        Nested(round);
        Locals(round);
        Inlined(round);
        Branches(round);
        Native(round);
        Virtual(new Even(), round);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Nested(int round)
    {
        var first = Give(20011); // 20011
        var second = Give(20021); // 20021
        Take(first, second);
        Take(Give(20031), round); // 20031
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Locals(int round)
    {
        nint sum = round;
        sum += Give(20051); // 20051
        sum += Other(20061); // 20061
        _kept = Give(20071); // 20071
        var last = Give(20081); // 20081
        _kept = last + Other(20091); // 20091
        return sum + last;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Inlined(int round)
    {
        var first = Small(20101); // 20101
        var second = Small(20111); // 20111
        Take(first, second);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Branches(int round)
    {
        nint block;
        if (round % 2 == 0)
        {
            block = Give(20121); // 20121
        }
        else
        {
            block = Other(20131); // 20131
        }
        for (var i = 0; i <= round % 3; i++)
        {
            block += Give(20141); // 20141
            block ^= Other(20151); // 20151
        }
        Take(block, round);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Native(int round)
    {
        var first = Malloc(20161); // 20161
        var second = Other(20171); // 20171
        Take(first, second);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Virtual(IGiver giver, int round)
    {
        var first = giver.Give(20181); // 20181
        var second = Other(20191); // 20191
        Take(first, second);
    }

    private static nint Small(nuint bytes) => Give(bytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Give(nuint bytes) => (nint)NativeMemory.Alloc(bytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Other(nuint bytes) => (nint)NativeMemory.Alloc(bytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Take(nint first, nint second) => _kept = first ^ second;

    [DllImport("libc", EntryPoint = "malloc")]
    private static extern nint Malloc(nuint bytes);

    private interface IGiver
    {
        nint Give(nuint bytes);
    }

    private sealed class Even : IGiver
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public nint Give(nuint bytes) => (nint)NativeMemory.Alloc(bytes);
    }
}
