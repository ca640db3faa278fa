using System.Globalization;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests;

/// <summary>Which files may be loaded into our own process.</summary>
public sealed class TrustedPathTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _file;

    public TrustedPathTests() => _file = _folder.Write("a/b/file", "");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_of_ours_below_a_sticky_folder_is_trusted_and_one_of_roots() => Assert.Equal(
        (null, null), (TrustedPath.Problem(_file), TrustedPath.Problem(Path.GetFullPath("/bin/../usr/bin/env"))));

    [Theory]
    [InlineData("a/b/file")]
    [InlineData("a/b")]
    [InlineData("a")]
    public void What_everybody_may_write_to_is_not(string part)
    {
        File.SetUnixFileMode(_folder[part], (UnixFileMode)0x1FF);
        Assert.Contains(_folder[part] + " is not root's or ours", TrustedPath.Problem(_file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a/b/file")]
    [InlineData("a")]
    public void What_belongs_to_somebody_else_is_not(string part)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to give a file away");
        Tool.Run("chown", "65534", _folder[part]);
        Assert.Contains(_folder[part] + " is not root's or ours", TrustedPath.Problem(_file), StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_link_leads_to_or_is_not_there_or_has_no_whole_path_is_not()
    {
        Directory.CreateSymbolicLink(_folder["link"], _folder["a"]);
        Assert.NotNull(TrustedPath.Problem(_folder["link/b/file"]));
        Assert.NotNull(TrustedPath.Problem(_folder["a/b/none"]));
        Assert.NotNull(TrustedPath.Problem("usr/bin/env"));
        Assert.NotNull(TrustedPath.Problem(_folder["a/b"]));
    }

    [Fact]
    public void A_process_is_ours_when_it_is_in_every_way()
    {
        Assert.True(TrustedPath.IsOfOurUser(Environment.ProcessId));
        Assert.False(TrustedPath.IsOfOurUser(int.MaxValue));
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become somebody else");
        // Real user alone; effective and saved are still ours.
        foreach (var ids in new[] { "--ruid=65534", "--reuid=65534" })
        {
            using var other = new RunningProgram("setpriv", ids, "--clear-groups", "sh", "-c", "echo ready; read line");
            Assert.Equal("ready", other.FirstLine);
            Assert.False(TrustedPath.IsOfOurUser(other.Pid), ids + " of " + other.Pid.ToString(CultureInfo.InvariantCulture));
        }
    }
}
