using NativeHeap.Collect.Server;

namespace NativeHeap.Collect.Tests.Server;

public sealed class PrivateFolderTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("nativeheap-test-").FullName;

    [Fact]
    public void It_is_the_owners_alone()
    {
        using var folder = PrivateFolder.Create(_parent);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder.Path));
    }

    [Fact]
    public void A_parent_that_is_missing_or_too_long_or_relative_is_passed_over()
    {
        var deep = Path.Combine(_parent, new string('d', 100));
        Directory.CreateDirectory(deep);
        using var folder = PrivateFolder.Create(null, "", "relative", deep, _parent + "/none", _parent);
        Assert.Equal(_parent, Path.GetDirectoryName(folder.Path));
        Assert.True(folder.SocketPath.Length < 108);
    }

    [Fact]
    public void Without_any_parent_the_error_says_why()
    {
        var error = Assert.Throws<IOException>(() => PrivateFolder.Create(_parent + "/none"));
        Assert.Contains(_parent + "/none", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void It_goes_with_what_is_in_it()
    {
        var folder = PrivateFolder.Create(_parent);
        File.WriteAllText(folder.SocketPath, "");
        folder.Dispose();
        Assert.Empty(Directory.GetFileSystemEntries(_parent));
        folder.Dispose();
    }

    public void Dispose() => Directory.Delete(_parent, recursive: true);
}
