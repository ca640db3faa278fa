namespace NativeHeap.Present.Plots;

/// <summary>Names short enough for a legend.</summary>
internal static class Labels
{
    /// <summary>At most <paramref name="most"/> characters; what is left out in the middle shows as an ellipsis.</summary>
    public static string Shorten(string text, int most)
    {
        if (text.Length <= most)
        {
            return text;
        }
        var head = (most - 1) * 2 / 3;
        return string.Concat(text.AsSpan(0, head), "…", text.AsSpan(text.Length - (most - 1 - head)));
    }
}
