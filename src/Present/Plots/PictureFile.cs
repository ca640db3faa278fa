using System.Text;
using NativeHeap.Model;
using ScottPlot;

namespace NativeHeap.Present.Plots;

/// <summary>A picture's file: its format goes by its name, and it is there whole or not at all.</summary>
public sealed class PictureFile
{
    /// <summary>Least and most pixels along a side.</summary>
    public const int LeastPixels = 200, MostPixels = 10_000;

    private readonly OutputFile _file;
    private readonly bool _isSvg;

    private PictureFile(OutputFile file, bool isSvg)
    {
        _file = file;
        _isSvg = isSvg;
    }

    /// <summary>Where it goes.</summary>
    public string Path => _file.Path;

    /// <summary>Checks a name before any work is done for it.</summary>
    /// <param name="path">Ends in .png or .svg.</param>
    /// <param name="force">An existing file may be replaced.</param>
    /// <exception cref="ToolException">Another ending, a file that exists, or no such folder (exit code 2).</exception>
    public static PictureFile Plan(string path, bool force)
    {
        var isSvg = System.IO.Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".PNG" => false,
            ".SVG" => true,
            _ => throw new ToolException($"{path} does not end in .png or .svg", ExitCodes.Usage),
        };
        return new PictureFile(OutputFile.Plan(path, force), isSvg);
    }

    /// <summary>Draws and writes; the plot stays the caller's.</summary>
    /// <exception cref="ToolException">The file cannot be written (exit code 2); nothing is left of it.</exception>
    public void Write(Plot plot, int width, int height)
    {
        var content = _isSvg
            ? Encoding.UTF8.GetBytes(plot.GetSvgXml(width, height))
            : plot.GetImageBytes(width, height, ImageFormat.Png);
        _file.Write(stream => stream.Write(content));
    }
}
