namespace NativeHeap.EndToEnd;

/// <summary>Input that cannot be worked with: one clear line, the agreed exit code, nothing started, nothing overwritten.</summary>
public sealed class BadInputTests : IDisposable
{
    private const int Usage = 2, Target = 3, Input = 4;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void No_such_command() => AssertRefused(Target, ["/nowhere/program"]);

    [Fact]
    public void No_such_command_in_the_path() => AssertRefused(Target, ["no-such-program-anywhere"]);

    [Fact]
    public void A_folder() => AssertRefused(Target, [_folder.Path]);

    [Fact]
    public void A_file_that_may_not_be_executed() => AssertRefused(Target, [_folder.Write("data", "text")]);

    [Fact]
    public void A_script_without_its_interpreter()
    {
        var script = _folder.Write("script", "#!/nowhere/interpreter\n");
        AssertRefused(Target, [Executable(script)]);
    }

    [Fact]
    public void A_statically_linked_program() => AssertRefused(Target, [Built.Target("linked_statically")]);

    [Fact]
    public void A_script_whose_interpreter_is_static()
    {
        var script = _folder.Write("script", $"#!{Built.Target("linked_statically")}\n");
        AssertRefused(Target, [Executable(script)]);
    }

    [Fact]
    public void A_setuid_program()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to give a file to another user");
        var program = CopyOfTrue("setuid");
        Program.Run(["chown", "nobody", program]).Expect(0);
        File.SetUnixFileMode(program, (UnixFileMode)0x9ED); // 4755
        AssertRefused(Target, [program]);
    }

    [Fact]
    public void A_program_of_another_word_size()
    {
        const int Class = 4, Bits32 = 1, Machine = 18, Intel386 = 3;
        var program = CopyOfTrue("elf32");
        var bytes = File.ReadAllBytes(program);
        bytes[Class] = Bits32;
        bytes[Machine] = Intel386;
        File.WriteAllBytes(program, bytes);
        AssertRefused(Target, [program]);
    }

    [Fact]
    public void A_program_of_another_libc()
    {
        var program = CopyOfTrue("uclibc");
        var bytes = File.ReadAllBytes(program);
        var at = bytes.AsSpan().IndexOf("/lib64/ld-linux-x86-64.so.2\0"u8);
        "/lib/ld64-uClibc.so.1\0"u8.CopyTo(bytes.AsSpan(at));
        File.WriteAllBytes(program, bytes);
        AssertRefused(Target, [program]);
    }

    [Fact]
    public void An_existing_output_file_is_kept()
    {
        var existing = _folder.Write("existing.nheap", "precious");
        var outcome = Run("run", "-o", existing, "--", "touch", _folder["started"]).Expect(Usage);
        AssertOneError(outcome);
        Assert.Equal("precious", File.ReadAllText(existing));
        Assert.False(File.Exists(_folder["started"]));
    }

    [Fact]
    public void A_folder_that_is_not_there() =>
        AssertNothingStarted(Run("run", "-o", _folder["no/such/folder/x.nheap"], "--", "touch", _folder["started"]).Expect(Usage));

    [Fact]
    public void A_folder_that_may_not_be_written_to() =>
        AssertNothingStarted(Run("run", "-o", "/proc/x.nheap", "--", "touch", _folder["started"]).Expect(Usage));

    [Fact]
    public void An_unknown_setting_in_the_environment()
    {
        var around = new Surroundings { Environment = new Dictionary<string, string?> { ["NATIVEHEAP_NONSENSE"] = "1" } };
        var outcome = Program.Run(
            [Built.Supervisor, "dotnet", Built.Command, "run", "-o", _folder["x.nheap"], "--", "touch", _folder["started"]], around);
        AssertNothingStarted(outcome.Expect(Usage));
        Assert.Contains("NATIVEHEAP_NONSENSE", outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("run", "--nonsense", "--", "true")]
    [InlineData("run", "--sample", "many", "--", "true")]
    [InlineData("nonsense")]
    [InlineData("report")]
    [InlineData("plot", "x.nheap")]
    [InlineData("plot", "x.nheap", "-o", "x.png", "--kind", "nonsense")]
    [InlineData("plot", "x.nheap", "-o", "x.jpeg")]
    public void Bad_usage(params string[] arguments)
    {
        var outcome = Run(arguments).Expect(Usage);
        Assert.StartsWith("error: ", outcome.Said[0], StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
        Assert.Equal("", outcome.OwnErrors);
    }

    [Fact]
    public void A_trace_that_is_not_there() => AssertUnreadable(_folder["none.nheap"]);

    [Fact]
    public void A_trace_that_is_something_else() => AssertUnreadable(_folder.Write("foreign.nheap", "just a text"));

    [Fact]
    public void An_empty_trace() => AssertUnreadable(_folder.Write("empty.nheap", ""));

    [Fact]
    public void A_database_of_something_else()
    {
        Database.Change(_folder["other.nheap"], "CREATE TABLE meta (a)");
        AssertUnreadable(_folder["other.nheap"]);
    }

    [Fact]
    public void A_trace_of_a_newer_version()
    {
        var trace = Record();
        Database.Change(trace, "PRAGMA user_version = 99");
        Assert.Contains("newer", AssertUnreadable(trace), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.9)]
    [InlineData(0.5)]
    [InlineData(0.1)]
    public void A_truncated_trace(double share)
    {
        var trace = Record();
        using (var file = File.OpenWrite(trace))
        {
            file.SetLength((long)(file.Length * share));
        }
        AssertUnreadable(trace);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(256)]
    public void A_disk_that_fills_up_does_not_harm_the_target(int kibibytes)
    {
        var mount = Directory.CreateDirectory(_folder["small"]).FullName;
        var around = new Surroundings
        {
            Wrapper = ["unshare", "--mount", "sh", "-c", $"mount -t tmpfs -o size={kibibytes}k none {mount} && exec \"$@\"", "sh"],
        };
        Assert.SkipUnless(Program.Run(["true"], around).ExitCode == 0, "no right to mount a small file system");
        string[] command = [Built.Target("entry_points")];
        var plain = Program.Run(command).Expect(0);
        var outcome = Program.Run(
            [Built.Supervisor, "dotnet", Built.Command, "run", "-o", Path.Combine(mount, "x.nheap"), "--", .. command], around);
        // Either there was no room to begin with and nothing started, or the target never noticed.
        if (outcome.ExitCode == Usage)
        {
            Assert.Equal("", outcome.Output);
        }
        else
        {
            outcome.Expect(0);
            Assert.Equal(plain.Output, outcome.Output);
        }
        Assert.Contains(outcome.Said, line => line.Contains("no room left on the disk", StringComparison.Ordinal));
    }

    private static Outcome Run(params string[] arguments) =>
        Program.Run([Built.Supervisor, "dotnet", Built.Command, .. arguments]);

    private void AssertRefused(int exitCode, string[] command)
    {
        var trace = _folder["refused.nheap"];
        var outcome = Run(["run", "-o", trace, "--", .. command]).Expect(exitCode);
        AssertOneError(outcome);
        Assert.False(File.Exists(trace), "a trace was left behind");
    }

    private void AssertNothingStarted(Outcome outcome)
    {
        AssertOneError(outcome);
        Assert.False(File.Exists(_folder["started"]));
    }

    private static string AssertUnreadable(string trace)
    {
        foreach (var arguments in new[] { new[] { "report", trace }, ["report", trace, "--json"], ["plot", trace, "-o", trace + ".png"] })
        {
            AssertOneError(Program.Run(["dotnet", Built.Command, .. arguments]).Expect(Input));
        }
        Assert.False(File.Exists(trace + ".png"));
        return Program.Run(["dotnet", Built.Command, "report", trace]).Errors;
    }

    private static void AssertOneError(Outcome outcome)
    {
        Assert.Equal("", outcome.Output);
        var line = Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("nativeheap: error: ", line, StringComparison.Ordinal);
    }

    private string Record()
    {
        using var trace = Recording.Run(_folder, [Built.Target("entry_points")]);
        trace.Outcome.Expect(0);
        return trace.TracePath;
    }

    private string CopyOfTrue(string name)
    {
        File.Copy("/bin/true", _folder[name]);
        return Executable(_folder[name]);
    }

    private static string Executable(string path)
    {
        File.SetUnixFileMode(path, (UnixFileMode)0x1ED); // 755
        return path;
    }
}
