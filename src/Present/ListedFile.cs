using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Managed;
using NativeHeap.Symbols;

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

    /// <summary>
    /// Looks for the text where the debug information says it is, and in the PDB. Whether it changed since the build is told
    /// by the checksum of the PDB or of DWARF 5, else by the times of source and binary.
    /// </summary>
    /// <param name="source">The file.</param>
    /// <param name="recordedNs">When the trace began, in nanoseconds since 1970; null: unknown.</param>
    public static ListedFile Find(SourceFile source, long? recordedNs)
    {
        ArgumentNullException.ThrowIfNull(source);
        var built = source.Modules.Select(module => PdbSource.Find(module.Path, source.File)).FirstOrDefault(found => found is not null);
        var info = new FileInfo(source.File);
        if (!info.Exists || info.Length > MostBytes)
        {
            return built?.Text is { } embedded
                ? new ListedFile(source, Lines(embedded), null)
                : new ListedFile(source, null, "the source is not on this machine");
        }

        try
        {
            var content = File.ReadAllBytes(source.File);
            var isSame = built is not null ? built.IsOf(content) : IsCompiled(source, content);
            return isSame == false && built?.Text is { } text
                ? new ListedFile(source, Lines(text), null) // what was built, whatever lies there now
                : new ListedFile(source, Lines(content), isSame switch
                {
                    true => null,
                    false => "the source is not the one that was built (its checksum is another): lines may not fit",
                    null => ChangeRemark(source, info, recordedNs),
                });
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new ListedFile(source, null, $"the source cannot be read ({Words.Printable(error.Message)})");
        }
    }

    // Of a header that several binaries have, each may have another state.
    private static bool? IsCompiled(SourceFile source, byte[] content)
    {
        var known = source.Modules.Select(module => DwarfSource.Find(module, source.File)).OfType<DwarfSource>().ToList();
        return known.Count == 0 ? null : known.TrueForAll(compiled => compiled.IsOf(content));
    }

    private static string[] Lines(byte[] content)
    {
        using var reader = new StreamReader(new MemoryStream(content)); // minds a byte order mark
        var lines = new List<string>();
        while (reader.ReadLine() is { } line)
        {
            lines.Add(line);
        }

        return [.. lines];
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
