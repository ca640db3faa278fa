using System.Buffers.Binary;

namespace NativeHeap.EndToEnd;

/// <summary>tools/nativeheap as a user calls it: from anywhere, through a link, and for the demo.</summary>
public sealed class LauncherTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_works_from_any_folder_through_a_link_and_builds_nothing_twice()
    {
        File.CreateSymbolicLink(_folder["nh"], Built.Launcher);
        File.CreateSymbolicLink(_folder["again"], _folder["nh"]);
        Directory.CreateDirectory(_folder["else where"]);
        var around = new Surroundings { Folder = _folder["else where"] };
        Program.Run([_folder["again"], "--version"], around).Expect(0);
        var second = Program.Run([_folder["again"], "run", "--", "sh", "-c", "pwd; exit 6"], around).Expect(6);
        Assert.Equal(_folder["else where"] + "\n", second.Output);
        Assert.Equal("", second.OwnErrors);
        Assert.DoesNotContain("building", second.Errors, StringComparison.Ordinal);
        var trace = Assert.Single(Directory.EnumerateFiles(_folder["else where"]));
        Assert.Matches(@"/nativeheap\.sh\.[0-9]+\.nheap$", trace);
    }

    [Fact]
    public void A_changed_source_is_noticed()
    {
        // A copy of the tree's outline, with a dotnet that says what it is asked for.
        foreach (var file in new[] { "tools/nativeheap", "tools/setup.sh", "tools/build-native", "native/a.cpp", "src/Cli/b.cs" })
        {
            _folder.Write(file, "");
        }
        foreach (var file in new[] { "CMakeLists.txt", "Directory.Build.props", "Directory.Packages.props", "global.json", "tools/demo/c.cpp" })
        {
            _folder.Write(file, "");
        }
        File.Copy(Built.Launcher, _folder["tools/nativeheap"], overwrite: true);
        File.Copy(Path.Combine(Built.Root, "tools/setup.sh"), _folder["tools/setup.sh"], overwrite: true);
        string[] made = ["src/Cli/bin/Release/net10.0/nativeheap.dll", "out/native/nativeheap-launch", "out/native/libnativeheap.so"];
        foreach (var product in made)
        {
            _folder.Write(product, "");
        }
        var dotnet = _folder.Write("bin/dotnet", "#!/bin/sh\necho \"dotnet $1\" >&2\n");
        File.SetUnixFileMode(dotnet, (UnixFileMode)0x1ED);
        var around = new Surroundings
        {
            Environment = new Dictionary<string, string?>
            {
                ["PATH"] = _folder["bin"] + ":" + Environment.GetEnvironmentVariable("PATH"),
            },
        };
        string[] call = [_folder["tools/nativeheap"], "--version"];
        Assert.Contains("dotnet build", Program.Run(call, around).Expect(0).Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("dotnet build", Program.Run(call, around).Expect(0).Errors, StringComparison.Ordinal);

        File.SetLastWriteTimeUtc(_folder["src/Cli/b.cs"], DateTime.UtcNow.AddSeconds(2));
        Assert.Contains("dotnet build", Program.Run(call, around).Expect(0).Errors, StringComparison.Ordinal);

        File.SetLastWriteTimeUtc(_folder["src/Cli/b.cs"], DateTime.UtcNow.AddSeconds(-60));
        Program.Run(call, around).Expect(0);
        Assert.DoesNotContain("dotnet build", Program.Run(call, around).Expect(0).Errors, StringComparison.Ordinal);
        File.Delete(_folder["native/a.cpp"]);
        Assert.Contains("dotnet build", Program.Run(call, around).Expect(0).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void The_demo_names_the_leaking_function_and_line_and_draws_it()
    {
        var around = new Surroundings { Folder = _folder.Path };
        File.WriteAllText(_folder["heap.png"], "an older picture of ours");
        var outcome = Program.Run([Built.Launcher, "demo"], around).Expect(0);
        Assert.Contains("orders served", outcome.Output, StringComparison.Ordinal);
        // 500 invoices of 16 KiB, printed for cancelled orders.
        var lines = outcome.Output.Split('\n').ToList();
        var leak = lines.FindIndex(line => line.Contains(" 500 blocks by malloc", StringComparison.Ordinal));
        Assert.True(leak >= 0, outcome.Output);
        var stack = lines.Skip(leak + 1).TakeWhile(line => line.Trim().Length > 0).ToList();
        Assert.Contains(stack, line => line.Contains("print_invoice", StringComparison.Ordinal) && line.Contains("order_service.cpp:", StringComparison.Ordinal));
        Assert.Contains(stack, line => line.Contains("cancel", StringComparison.Ordinal) && line.Contains("order_service.cpp:", StringComparison.Ordinal));
        var picture = File.ReadAllBytes(_folder["heap.png"]);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], picture[..4]);
        Assert.Equal(1200, BinaryPrimitives.ReadInt32BigEndian(picture.AsSpan(16)));
    }
}
