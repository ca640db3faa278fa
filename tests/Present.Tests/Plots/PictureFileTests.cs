using System.Buffers.Binary;
using NativeHeap.Testing;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using ScottPlot;

namespace NativeHeap.Present.Tests.Plots;

public sealed class PictureFileTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Plot _plot = new();

    public void Dispose()
    {
        _plot.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_png_has_the_pixels_asked_for()
    {
        PictureFile.Plan(_folder["heap.png"], force: false).Write(_plot, 321, 234);
        var bytes = File.ReadAllBytes(_folder["heap.png"]);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], bytes[..4]);
        Assert.Equal(321, BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(16)));
        Assert.Equal(234, BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(20)));
        Assert.Equal(["heap.png"], Names());
    }

    [Fact]
    public void An_ending_in_capitals_is_as_good()
    {
        PictureFile.Plan(_folder["heap.SVG"], force: false).Write(_plot, 300, 200);
        Assert.Contains("<svg", File.ReadAllText(_folder["heap.SVG"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("heap.jpeg", "does not end in .png or .svg")]
    [InlineData("heap", "does not end in .png or .svg")]
    [InlineData("no/such/heap.png", "there is no folder")]
    [InlineData("folder.png", "is a folder")]
    [InlineData("existing.png", "--force")]
    public void A_bad_name_is_refused_before_any_work(string name, string message)
    {
        Directory.CreateDirectory(_folder["folder.png"]);
        File.WriteAllText(_folder["existing.png"], "precious");
        var error = Assert.Throws<ToolException>(() => PictureFile.Plan(_folder[name], force: false));
        Assert.Equal(ExitCodes.Usage, error.ExitCode);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(_folder["existing.png"]));
    }

    [Fact]
    public void An_existing_file_is_replaced_when_forced()
    {
        File.WriteAllText(_folder["heap.svg"], "old");
        PictureFile.Plan(_folder["heap.svg"], force: true).Write(_plot, 300, 200);
        Assert.Contains("<svg", File.ReadAllText(_folder["heap.svg"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_written_leaves_nothing_behind()
    {
        var file = PictureFile.Plan(_folder["heap.png"], force: false);
        Directory.CreateDirectory(_folder["heap.png"]);
        var error = Assert.Throws<ToolException>(() => file.Write(_plot, 300, 200));
        Assert.Equal(ExitCodes.Usage, error.ExitCode);
        Assert.Equal(["heap.png"], Names());
    }

    private IEnumerable<string?> Names() => Directory.EnumerateFileSystemEntries(_folder.Path).Select(Path.GetFileName);
}
