using System.Globalization;

namespace NativeHeap.Trace;

/// <summary>
/// A trace and, optionally, a moment of it: <c>TRACE</c>, <c>TRACE@NAME</c>, <c>TRACE@1</c>, <c>TRACE@peak</c>,
/// <c>TRACE@end</c>.
/// </summary>
/// <param name="Path">The file.</param>
/// <param name="Moment">What stands after the <c>@</c>; null when nothing does, which means the end.</param>
public sealed record TraceReference(string Path, string? Moment)
{
    /// <summary>The word for the moment of most live bytes.</summary>
    public const string Peak = "peak";

    /// <summary>The word for each process's last moment.</summary>
    public const string End = "end";

    /// <summary>The snapshot's number when <see cref="Moment"/> is one.</summary>
    public int? SnapshotNumber =>
        int.TryParse(Moment, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>
    /// Splits what a user wrote. A file of the whole name wins, so that a path may hold an <c>@</c>; else the last
    /// <c>@</c> of the last path component separates.
    /// </summary>
    public static TraceReference Parse(string text) => Parse(text, System.IO.Path.Exists);

    internal static TraceReference Parse(string text, Func<string, bool> exists)
    {
        var at = text.LastIndexOf('@');
        return at <= text.LastIndexOf('/') + 1 || exists(text)
            ? new TraceReference(text, null)
            : new TraceReference(text[..at], text[(at + 1)..]);
    }
}
