using System.Globalization;
using NativeHeap.Analysis;

namespace NativeHeap.Present;

/// <summary>A source file and its text, when there is one on this machine.</summary>
public sealed class ListedFile
{
    private const long MostBytes = 64 << 20;

    private readonly string[]? _text;

    private ListedFile(SourceFile source, string[]? text, string? remark)
    {
        Source = source;
        _text = text;
        Remark = remark;
    }

    /// <summary>What it cost.</summary>
    public SourceFile Source { get; }

    /// <summary>Why the text is missing or may not be what was built; null: it is there, and older than the binaries.</summary>
    public string? Remark { get; }

    /// <summary>Lines of the text; null without one.</summary>
    public int? LineCount => _text?.Length;

    /// <summary>Looks for the text where the debug information says it is.</summary>
    /// <param name="source">The file.</param>
    /// <param name="recordedNs">When the trace began, in nanoseconds since 1970; null: unknown.</param>
    public static ListedFile Find(SourceFile source, long? recordedNs)
    {
        ArgumentNullException.ThrowIfNull(source);
        var info = new FileInfo(source.File);
        if (!info.Exists || info.Length > MostBytes)
        {
            return new ListedFile(source, null, "the source is not on this machine");
        }

        try
        {
            return new ListedFile(source, File.ReadAllLines(source.File), ChangeRemark(source, info, recordedNs));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new ListedFile(source, null, $"the source cannot be read ({Words.Printable(error.Message)})");
        }
    }

    /// <summary>The text of a line; null when there is none.</summary>
    /// <param name="line">From 1.</param>
    public string? Text(int line) => _text is not null && line >= 1 && line <= _text.Length ? _text[line - 1] : null;

    // The binary may itself be newer than the trace; then it says nothing about what was recorded.
    private static string? ChangeRemark(SourceFile source, FileInfo info, long? recordedNs)
    {
        var recorded = recordedNs is { } ns ? DateTime.UnixEpoch.AddTicks(ns / 100) : DateTime.MaxValue;
        var built = source.Modules
            .Select(module => File.GetLastWriteTimeUtc(module.Path))
            .Where(time => time.Year > 1970 && time <= recorded)
            .DefaultIfEmpty(recorded)
            .Min();
        return info.LastWriteTimeUtc > built
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"the source was changed on {info.LastWriteTimeUtc:yyyy-MM-dd HH:mm:ss} UTC, after the build: lines may not fit")
            : null;
    }
}
