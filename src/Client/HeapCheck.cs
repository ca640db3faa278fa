using System.Runtime.InteropServices;
using System.Text;

namespace NativeHeap.Client;

/// <summary>
/// What a program may ask NativeHeap for while it is being recorded (<c>nativeheap run</c> or <c>check</c>). Without the
/// profiler nothing happens, and the results say so. Any thread. The C side of it is native/include/nativeheap.h.
/// </summary>
public static unsafe class HeapCheck
{
    // Exported by the preloaded library alone, so that the main program's scope has them or nobody does.
    private static readonly delegate* unmanaged<int> s_isRecording = (delegate* unmanaged<int>)Find("nativeheap_is_recording");
    private static readonly delegate* unmanaged<HeapLeaks*, int, int> s_check = (delegate* unmanaged<HeapLeaks*, int, int>)Find("nativeheap_check");
    private static readonly delegate* unmanaged<byte*, int> s_snapshot = (delegate* unmanaged<byte*, int>)Find("nativeheap_snapshot");
    private static readonly delegate* unmanaged<int, int> s_record = (delegate* unmanaged<int, int>)Find("nativeheap_record");
    private static readonly delegate* unmanaged<void> s_disable = (delegate* unmanaged<void>)Find("__lsan_disable");
    private static readonly delegate* unmanaged<void> s_enable = (delegate* unmanaged<void>)Find("__lsan_enable");

    /// <summary>Whether native allocations of this process are being recorded.</summary>
    public static bool IsActive => s_isRecording is not null && s_isRecording() != 0;

    /// <summary>Checks the native heap now. The process stands still meanwhile, 0.5 s and more with .NET; what is lost is
    /// reported on the profiler's standard error, with stacks. Blocks whose only holder is an object that the garbage
    /// collector would collect are lost: collect, and wait for finalizers, before.</summary>
    /// <param name="sinceLast">Leave out what the check before this one had found.</param>
    /// <returns>What was found; null when nobody could check.</returns>
    public static HeapLeaks? FindLeaks(bool sinceLast = false)
    {
        HeapLeaks found;
        return s_check is not null && s_check(&found, sinceLast ? 1 : 0) >= 0 ? found : null;
    }

    /// <summary>Marks this moment in the recording, to be read as <c>TRACE@name</c>.</summary>
    /// <param name="name">At most 63 bytes of UTF-8; null: it has a number only.</param>
    /// <returns>False when there is no recording, or the name is taken.</returns>
    public static bool Mark(string? name = null)
    {
        if (s_snapshot is null)
        {
            return false;
        }

        fixed (byte* bytes = name is null ? null : Encoding.UTF8.GetBytes(name + '\0'))
        {
            return s_snapshot(bytes) == 0;
        }
    }

    /// <summary>What the process allocates from now on is not recorded, until <see cref="Start"/>; frees of recorded blocks
    /// still count. Processes that were forked from each other stop and start together.</summary>
    /// <returns>False when there is no recording.</returns>
    public static bool Stop() => s_record is not null && s_record(0) == 0;

    /// <summary>Records again.</summary>
    /// <returns>False when there is no recording.</returns>
    public static bool Start() => s_record is not null && s_record(1) == 0;

    /// <summary>What native code allocates on this thread from now on is no leak, until the result is disposed of, on the
    /// same thread. It nests.</summary>
    public static IgnoredLeaks IgnoreLeaks()
    {
        if (s_disable is null || s_enable is null)
        {
            return default;
        }

        s_disable();
        return new IgnoredLeaks(isLive: true);
    }

    internal static void Enable() => s_enable();

    private static nint Find(string name) =>
        NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), name, out var address) ? address : 0;
}
