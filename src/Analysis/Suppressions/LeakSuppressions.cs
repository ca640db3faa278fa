using System.Text;
using NativeHeap.Model;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>The suppressions of a check; of several that match the first counts. Immutable.</summary>
public sealed class LeakSuppressions
{
    private const int MostBytes = 64 << 20;
    private const int MostBytesOfProgram = 1 << 16;
    private const int MostComplaints = 10;
    private const string BuiltInName = "builtin.supp";

    private LeakSuppressions(IReadOnlyList<SuppressionEntry> entries) => Entries = entries;

    /// <summary>None.</summary>
    public static LeakSuppressions None { get; } = new([]);

    /// <summary>What C libraries and loaders are known to leave behind, <c>builtin.supp</c> beside this class; and, for each
    /// process, what its program itself says.</summary>
    public static LeakSuppressions BuiltIn { get; } =
        new(SuppressionParser.Parse(BuiltInText, BuiltInName)) { TakesPrograms = true };

    /// <summary>The text of <see cref="BuiltIn"/>.</summary>
    public static string BuiltInText
    {
        get
        {
            using var stream = typeof(LeakSuppressions).Assembly.GetManifestResourceStream(BuiltInName)!;
            return new StreamReader(stream, Encoding.UTF8).ReadToEnd();
        }
    }

    /// <summary>The entries, in the order in which they are tried.</summary>
    public IReadOnlyList<SuppressionEntry> Entries { get; }

    /// <summary>Whether what a program says by <c>__lsan_default_suppressions</c> counts for its own leaks, too.</summary>
    public bool TakesPrograms { get; private init; }

    /// <summary>Remarks on what could not be read.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>Reads what a program says itself. What cannot be read is passed over, and noted.</summary>
    /// <param name="text">Anything.</param>
    /// <param name="source">Where it comes from.</param>
    public static LeakSuppressions OfProgram(string text, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        var complaints = new List<string>();
        if (Encoding.UTF8.GetByteCount(text) > MostBytesOfProgram)
        {
            // Half a line would mean more than the whole.
            text = text[..(text.LastIndexOf('\n', Math.Min(text.Length, MostBytesOfProgram) - 1) + 1)];
            complaints.Add($"{source}: longer than {MostBytesOfProgram} bytes, the rest was not read");
        }

        var entries = SuppressionParser.Parse(text, source, complaints.Add);
        var more = complaints.Count - MostComplaints;
        return new LeakSuppressions(entries)
        {
            Notes = more <= 0 ? complaints : [.. complaints.Take(MostComplaints), $"{source}: {more} more lines are bad"],
        };
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">Entries of LeakSanitizer or valgrind.</param>
    /// <param name="source">Where it comes from.</param>
    /// <exception cref="ToolException">It is no list of suppressions (exit code 2).</exception>
    public static LeakSuppressions Parse(string text, string source) => new(SuppressionParser.Parse(text, source));

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file, or a pipe.</param>
    /// <exception cref="ToolException">It cannot be read, or is no list of suppressions (exit code 2).</exception>
    public static LeakSuppressions Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var bytes = new MemoryStream();
            var buffer = new byte[1 << 16];
            for (var count = file.Read(buffer); count > 0; count = file.Read(buffer))
            {
                bytes.Write(buffer, 0, count);
                if (bytes.Length > MostBytes)
                {
                    throw new ToolException($"{path}: too large for a list of suppressions", ExitCodes.Usage);
                }
            }

            return Parse(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ToolException($"{path} cannot be read: {error.Message}", ExitCodes.Usage, error);
        }
    }

    /// <summary>These, then the others.</summary>
    public LeakSuppressions Then(LeakSuppressions others)
    {
        ArgumentNullException.ThrowIfNull(others);
        return new LeakSuppressions([.. Entries, .. others.Entries])
        {
            TakesPrograms = TakesPrograms || others.TakesPrograms,
            Notes = [.. Notes, .. others.Notes],
        };
    }
}
