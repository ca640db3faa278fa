using System.Runtime.InteropServices;

namespace NativeHeap.Collect.Server;

/// <summary>
/// Lets the kernel tell a target at once that the collector died: a futex word in the region that a thread of ours
/// holds, on a robust list of its own (robust-futexes in the kernel's documentation). However the collector ends, the
/// kernel walks that list and sets FUTEX_OWNER_DIED in the word.
/// </summary>
/// <remarks>
/// The word lies in memory that the target can write, the list does not: pthread's robust mutexes keep their links in
/// the mutex, where a broken target could lead the collector astray. One thread a region, asleep all its life.
/// </remarks>
internal sealed unsafe class OwnerMark : IDisposable
{
    private const int SmallStack = 128 * 1024;

    private readonly uint* _word;
    private readonly ManualResetEventSlim _release = new();
    private readonly Thread _thread;

    /// <summary>Takes the word; returns when the kernel knows.</summary>
    /// <param name="word">First word of the region's owner field; stays mapped until <see cref="Dispose"/> returns.</param>
    public OwnerMark(uint* word)
    {
        _word = word;
        using var taken = new ManualResetEventSlim();
        _thread = new Thread(() => Hold(taken), SmallStack) { IsBackground = true, Name = "region owner" };
        _thread.Start();
        taken.Wait();
    }

    /// <summary>Gives the word up: what it holds then is 0.</summary>
    public void Dispose()
    {
        _release.Set();
        _thread.Join();
        _release.Dispose();
    }

    private void Hold(ManualResetEventSlim taken)
    {
        // The list is a ring of two: its head and one entry, a pointer back to the head.
        var list = (Libc.RobustList*)NativeMemory.AllocZeroed((nuint)sizeof(Libc.RobustList) + (nuint)sizeof(void*));
        var entry = (void**)(list + 1);
        *entry = list;
        list->Next = entry;
        list->Offset = (byte*)_word - (byte*)entry;

        var usual = Libc.GetRobustList();
        Volatile.Write(ref *_word, (uint)Libc.CurrentThread);
        Libc.SetRobustList(list);
        taken.Set();
        _release.Wait();

        Libc.SetRobustList(usual);
        Volatile.Write(ref *_word, 0);
        NativeMemory.Free(list);
    }
}
