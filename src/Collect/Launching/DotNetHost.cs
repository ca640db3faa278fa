using NativeHeap.Memory;

namespace NativeHeap.Collect.Launching;

/// <summary>Tells the small programs that do nothing but start .NET: <c>dotnet</c> and an application's own host. Both
/// look for libhostfxr.so and call <c>hostfxr_main_startupinfo</c> in it (src/native/corehost in dotnet/runtime).</summary>
internal static class DotNetHost
{
    private const int MostBytes = 1 << 20; // they have 70 to 80 KB

    /// <summary>Whether it is one. A single-file application is not: it has the runtime linked in, and more to it.</summary>
    /// <param name="path">A program; one that cannot be read is none.</param>
    internal static bool Is(string path)
    {
        using var source = FileByteSource.TryOpen(path, out _);
        if (source is not { Length: <= MostBytes })
        {
            return false;
        }

        var content = new byte[source.Length];
        return content.AsSpan(0, source.Read(0, content)).IndexOf("hostfxr_main_startupinfo"u8) >= 0;
    }
}
