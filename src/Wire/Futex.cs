using System.Runtime.InteropServices;

namespace NativeHeap.Wire;

/// <summary>The futex calls (futex(2)) on words shared between processes.</summary>
public static unsafe partial class Futex
{
    private static readonly long s_futex = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 98 : 202;
    private const int Wait = 0;
    private const int Wake = 1;

    /// <summary>Wakes everybody who waits at <paramref name="word"/>.</summary>
    public static void WakeAll(uint* word) => _ = Call(s_futex, word, Wake, int.MaxValue, null, null, 0);

    /// <summary>Waits until woken, but not when the word is something else than <paramref name="expected"/>.</summary>
    /// <param name="word">A word in shared memory.</param>
    /// <param name="expected">The value to sleep on.</param>
    /// <param name="milliseconds">Longest sleep.</param>
    public static void WaitWhile(uint* word, uint expected, int milliseconds)
    {
        var time = stackalloc long[2];
        time[0] = milliseconds / 1000;
        time[1] = milliseconds % 1000 * 1_000_000L;
        _ = Call(s_futex, word, Wait, (int)expected, time, null, 0);
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long Call(
        long number, uint* word, int operation, int value, long* timeout, uint* word2, int value3);
}
