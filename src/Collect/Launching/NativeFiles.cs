namespace NativeHeap.Collect.Launching;

/// <summary>Where the native parts are: the shim and the supervisor.</summary>
/// <param name="Folder">The folder that holds both.</param>
public sealed record NativeFiles(string Folder)
{
    /// <summary>The shim that is preloaded.</summary>
    public string Shim => Path.Combine(Folder, "libnativeheap.so");

    /// <summary>The supervisor.</summary>
    public string Launcher => Path.Combine(Folder, "nativeheap-launch");

    /// <summary>
    /// Looks beside the program, in <c>native</c> beside its folder, and in <c>out/native</c> of every folder above it
    /// (a build tree). When there is none, the folder beside the program is given: the check of the shim says what is
    /// missing.
    /// </summary>
    /// <param name="program">Folder of the program; normally <see cref="AppContext.BaseDirectory"/>.</param>
    public static NativeFiles Locate(string program)
    {
        var start = Path.TrimEndingDirectorySeparator(Path.GetFullPath(program));
        return Candidates(start).Select(folder => new NativeFiles(folder)).FirstOrDefault(files => File.Exists(files.Shim))
            ?? new NativeFiles(Path.Combine(start, "native"));
    }

    private static IEnumerable<string> Candidates(string start)
    {
        yield return start;
        yield return Path.Combine(start, "native");
        yield return Path.GetFullPath(Path.Combine(start, "..", "native"));
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            yield return Path.Combine(folder.FullName, "out", "native");
        }
    }
}
