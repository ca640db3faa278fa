namespace NativeHeap.EndToEnd;

/// <summary>What others find, put in the way, or ask for: files are the user's alone, and no path is trusted for its name.</summary>
public sealed class PrivacyTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode All = (UnixFileMode)0x1FF;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Traces_and_raw_files_are_private_whatever_the_mask_and_replace_nothing_that_a_link_leads_to()
    {
        var open = Surroundings.After("umask 0");
        using var trace = Recording.Run(_folder, [Built.Target("line_by_line"), "3"], open);
        trace.Outcome.Expect(0);
        Assert.Equal(Private, File.GetUnixFileMode(trace.TracePath));
        var raw = open with
        {
            Environment = new Dictionary<string, string?> { ["LD_PRELOAD"] = Built.Shim, ["NATIVEHEAP_OUT"] = _folder["out.raw"] },
        };
        Program.Run(["env", Built.Target("line_by_line"), "3"], raw).Expect(0);
        Assert.All(Directory.GetFiles(_folder.Path, "out.raw*"), file => Assert.Equal(Private, File.GetUnixFileMode(file)));

        File.CreateSymbolicLink(_folder["link.nheap"], _folder["elsewhere"]);
        string[] command = [Built.Supervisor, "dotnet", Built.Command, "run", "-o", _folder["link.nheap"], "--", "touch", _folder["started"]];
        Assert.StartsWith("error: ", Assert.Single(Program.Run(command).Expect(2).Said), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["elsewhere"]) || File.Exists(_folder["started"]));
    }

    [Fact]
    public void While_a_program_is_recorded_its_socket_and_folder_are_the_users_alone()
    {
        var runtime = Directory.CreateDirectory(_folder["runtime"]).FullName;
        File.SetUnixFileMode(runtime, All | UnixFileMode.StickyBit); // as /tmp
        var around = Surroundings.After($"umask 0; export XDG_RUNTIME_DIR={runtime}");
        var steady = new SteadyTarget(_folder);
        using var recording = Recording.Start(_folder, steady.Command, around);
        steady.WaitForOperations(1, over: () => recording.HasEnded);
        var folder = Assert.Single(Directory.GetDirectories(runtime));
        Assert.Equal(Private | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        Assert.All(Directory.GetFileSystemEntries(folder), entry => Assert.Equal(Private, File.GetUnixFileMode(entry) & All));
        Signals.Send(steady.Pid, Signals.Kill);
        recording.Outcome.Expect(128 + Signals.Kill);
    }

    [Fact]
    public void Links_in_the_place_of_socket_and_lock_are_not_followed()
    {
        var precious = _folder.Write("precious", "mine");
        using var first = Listening.Start(_folder);
        File.CreateSymbolicLink(_folder["t"], first.Socket);
        using (var socket = Listening.Begin(_folder["t"], _folder["other"]))
        {
            Assert.Contains("something else than a socket", Assert.Single(socket.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        }
        File.CreateSymbolicLink(_folder["u.lock"], precious);
        using (var locked = Listening.Begin(_folder["u"], _folder["other"]))
        {
            Assert.Contains("u.lock", Assert.Single(locked.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        }
        Assert.Equal("mine", File.ReadAllText(precious));
        Assert.True(Path.Exists(first.Socket));
        first.End().Expect(0);
    }

    [Fact]
    public void Another_users_folders_are_refused()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to give a folder away");
        var theirs = Directory.CreateDirectory(_folder["theirs"]).FullName;
        Program.Run(["chown", "12345", theirs]).Expect(0);
        using var socket = Listening.Begin(Path.Combine(theirs, "s"), _folder["traces"]);
        using var traces = Listening.Begin(_folder["s"], theirs);
        Assert.Contains("belongs to another user", Assert.Single(socket.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        Assert.Contains("belongs to another user", Assert.Single(traces.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_of_another_user_that_reaches_the_socket_is_not_recorded_and_not_disturbed()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become another user");
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1ED); // 755
        using var collector = Listening.Start(_folder);
        File.SetUnixFileMode(collector.Socket, (UnixFileMode)0x1B6); // 666
        // The variables come after setpriv, which is root's when it begins and would be recorded.
        var around = new Surroundings
        {
            Wrapper =
            [
                "setpriv", "--reuid=12345", "--regid=12345", "--clear-groups",
                "env", .. collector.Around.Environment.Select(variable => $"{variable.Key}={variable.Value}"),
            ],
        };
        using var program = Program.Start([Built.Target("exchange"), "1000"], around);
        Account.ParseTarget(program.Wait().Expect(0).Output);
        using var own = Program.Start([Built.Target("exchange"), "1000"], collector.Around);
        own.Wait().Expect(0);
        Assert.True(collector.ReportOf(own.Pid).Complete);
        collector.End().Expect(0);
        Assert.Empty(Directory.GetFiles(collector.Traces, $"*.{program.Pid}.nheap"));
    }
}
