namespace NativeHeap.EndToEnd;

/// <summary>
/// The program finds around it what it would find without us (tests/targets/surroundings.c prints it all). One thing is not
/// so: what would lead a session or a process group is our supervisor, and the program is in it.
/// </summary>
public sealed class SurroundingsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("true")]
    [InlineData("ulimit -n 256; ulimit -c 0; ulimit -s 1024; ulimit -Sv 8000000")]
    [InlineData("trap '' PIPE INT HUP USR1 CHLD")]
    [InlineData("set -- env --default-signal=PIPE,INT,QUIT --block-signal=USR1,USR2,TERM,RTMIN \"$@\"")]
    [InlineData("umask 027; cd /")]
    [InlineData("exec 7</dev/null 9>/dev/null")]
    [InlineData("exec <&-")]
    [InlineData("set -- nice -n 5 \"$@\"")]
    [InlineData("export EMPTY= STRANGE=$'a\\nb' LD_LIBRARY_PATH=/nowhere LD_BIND_NOW=1")]
    public void Limits_mask_dispositions_descriptors_and_environment_are_the_shells(string shell)
    {
        var around = Surroundings.After(shell);
        string[] command = [Built.Target("surroundings"), "one", "", "with blank", "--", "-x"];
        var plain = Program.Run(command, around).Expect(0);
        using var trace = Recording.Run(_folder, command, around);
        trace.Outcome.Expect(0);
        Assert.Equal(Lines(plain.Output), Lines(trace.Outcome.Output));
        Assert.Equal("", trace.Outcome.OwnErrors);
    }

    [Fact]
    public void Only_the_preload_and_our_own_settings_are_added_to_the_environment()
    {
        using var trace = Recording.Run(_folder, ["/usr/bin/env"]);
        var plain = Program.Run(["/usr/bin/env"]).Expect(0);
        var added = trace.Outcome.Expect(0).Output.Split('\n').Except(plain.Output.Split('\n'));
        Assert.All(added, line => Assert.True(IsOurs(line), line));
        Assert.Empty(plain.Output.Split('\n').Except(trace.Outcome.Output.Split('\n')));
    }

    private static bool IsOurs(string line) =>
        line.StartsWith("LD_PRELOAD=", StringComparison.Ordinal) || line.StartsWith("NATIVEHEAP_", StringComparison.Ordinal);

    // A shell's own "_" names what it starts, and so differs.
    private static List<string> Lines(string output) =>
    [
        .. output.Split('\n').Where(line => !IsOurs(line.Replace("environment ", "", StringComparison.Ordinal))
            && !line.StartsWith("environment _=", StringComparison.Ordinal)),
    ];
}
