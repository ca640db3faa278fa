namespace NativeHeap.EndToEnd.Harness;

/// <summary>Where the things are that these tests run; tools/test builds them first.</summary>
internal static class Built
{
    public static string Root { get; } = FindRoot();

    /// <summary>The launcher that users call.</summary>
    public static string Launcher => Path.Combine(Root, "tools/nativeheap");

    public static string Supervisor => Existing("out/native/nativeheap-launch");

    public static string Shim => Existing("out/native/libnativeheap.so");

    public static string Command => Existing("src/Cli/bin/Release/net10.0/nativeheap.dll");

    /// <summary>The stand-in for the collector of the supervisor's own tests.</summary>
    public static string StandInCollector => Existing("out/native/tests/native/launch/launch_collector");

    /// <summary>A program of tests/targets.</summary>
    public static string Target(string name) => Existing("out/native/targets/" + name);

    /// <summary>A library of tests/targets.</summary>
    public static string Library(string name) => Existing($"out/native/targets/lib{name}.so");

    /// <summary>A file of the build for aarch64.</summary>
    public static string OtherProcessor(string name) => Existing("out/native/aarch64/" + name);

    /// <summary>A .NET program of tests/targets.</summary>
    public static string DotNetTarget(string name, string configuration = "Release") =>
        Existing($"tests/targets/{name}/bin/{configuration}/net10.0/{name}.dll");

    private static string Existing(string path)
    {
        var full = Path.Combine(Root, path);
        Assert.True(File.Exists(full), $"{full} is not built; tools/test builds it");
        return full;
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "NativeHeap.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not inside the repository");
        }
        return folder;
    }
}
