using System.Diagnostics;

namespace NativeHeap.Wire.Tests;

public sealed class LayoutTests
{
    [Fact]
    public void Both_languages_lay_every_record_out_alike()
    {
        var native = NativeLayout();
        var managed = WireLayout.Describe();
        Assert.NotEmpty(managed);
        Assert.Equal(native, managed);
    }

    // The compiler is what the shim is built with, so it is there wherever the tests run.
    private static List<string> NativeLayout()
    {
        var root = RepositoryRoot();
        var folder = Directory.CreateTempSubdirectory("nativeheap-layout-");
        try
        {
            var program = Path.Combine(folder.FullName, "wire_layout");
            Run("c++", "-std=c++20", "-I", root, "-o", program, Path.Combine(root, "tests/native/wire_layout.cpp"));
            return [.. Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "NativeHeap.sln")))
            {
                return folder.FullName;
            }
        }
        throw new DirectoryNotFoundException("NativeHeap.sln is in no folder above " + AppContext.BaseDirectory);
    }

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
