using System.Buffers.Binary;
using System.Text.Json;

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
        Assert.Contains("1000 orders sold, 500 cancelled", outcome.Output, StringComparison.Ordinal);
        // An invoice of 16 KiB for each cancelled order.
        var lines = outcome.Output.Split('\n').ToList();
        var leak = lines.FindIndex(line => line.Contains(" 1. 7.8 MiB ", StringComparison.Ordinal) && line.Contains(" 500 blocks by malloc", StringComparison.Ordinal));
        Assert.True(leak >= 0, outcome.Output);
        var stack = lines.Skip(leak + 1).TakeWhile(line => line.Trim().Length > 0).Select(line => line.Trim()).ToList();
        string[] way =
        [
            "invoice_print ", "OrderService.NativeInvoicePrinter.Print(int, int) ", "OrderService.OrderDesk.CancelAsync(int) ",
            "System.Threading.Thread.StartCallback() ",
        ];
        string[] places =
        [
            LineOf("tools/demo/invoice.c", "malloc(page)"), LineOf("tools/demo/Invoices.cs", "new Invoice(PrintInvoice("),
            LineOf("tools/demo/OrderDesk.cs", "printer.Print(number, lines: 12).Letters"),
        ];
        var found = way.Select(name => stack.FindIndex(line => line.StartsWith(name, StringComparison.Ordinal))).ToList();
        Assert.All(found, index => Assert.True(index >= 0, outcome.Output));
        Assert.Equal([0, 1, 2], found[..3]);
        Assert.All(places.Zip(stack), pair => Assert.EndsWith(pair.First, pair.Second, StringComparison.Ordinal));
        Assert.StartsWith("__GI___clone3", stack[^1], StringComparison.Ordinal);
        string[] report = ["dotnet", Built.Command, "report", "order_service.nheap", "--json"];
        var largest = Report.Parse(JsonDocument.Parse(Program.Run(report, around).Expect(0).Output).RootElement).Stacks[0];
        Assert.Equal((500 * 16 * 1024, 500), (largest.Bytes, largest.Blocks));
        var picture = File.ReadAllBytes(_folder["heap.png"]);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], picture[..4]);
        Assert.Equal(1200, BinaryPrimitives.ReadInt32BigEndian(picture.AsSpan(16)));
    }

    // FILE:LINE of the last line with these words.
    private static string LineOf(string file, string words) =>
        $"{file}:{Array.FindLastIndex(File.ReadAllLines(Path.Combine(Built.Root, file)), line => line.Contains(words, StringComparison.Ordinal)) + 1}";
}
