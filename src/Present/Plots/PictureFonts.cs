using ScottPlot;
using SkiaSharp;

namespace NativeHeap.Present.Plots;

/// <summary>
/// The font of all pictures. Text needs a font file on the machine (SkiaSharp looks below /usr/share/fonts); a server may
/// have none, and then pictures have no words.
/// </summary>
public static class PictureFonts
{
    private static readonly string[] s_preferred = ["DejaVu Sans", "Noto Sans", "Liberation Sans", "Open Sans", "Roboto"];

    private static readonly Lazy<string?> s_family = new(Find);

    /// <summary>The family in use; null when no font is installed. Any thread.</summary>
    public static string? Family => s_family.Value;

    /// <summary>Makes the family that of every plot made from now on.</summary>
    internal static void Use()
    {
        if (Family is { } family)
        {
            Fonts.Default = family;
        }
    }

    /// <summary>Width of a text in pixels.</summary>
    internal static float Width(string text, float size, bool bold)
    {
        using var typeface = SKTypeface.FromFamilyName(Family, bold ? SKFontStyle.Bold : SKFontStyle.Normal);
        using var font = new SKFont(typeface, size);
        return font.MeasureText(text);
    }

    private static string? Find()
    {
        var families = SKFontManager.Default.FontFamilies.ToHashSet(StringComparer.OrdinalIgnoreCase);
        return s_preferred.FirstOrDefault(families.Contains)
            ?? families.FirstOrDefault(family => family.Contains("Sans", StringComparison.OrdinalIgnoreCase))
            ?? families.FirstOrDefault();
    }
}
