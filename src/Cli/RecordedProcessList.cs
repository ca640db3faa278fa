using NativeHeap.Collect.Sessions;
using NativeHeap.Present;
using NativeHeap.Trace;
using Profile = NativeHeap.Analysis.Profile;

namespace NativeHeap.Cli;

/// <summary>What <c>top</c> shows without a process: all that are being recorded, and what the keys have changed.</summary>
internal sealed class RecordedProcessList : ITopView
{
    private IReadOnlyList<TopListRow> _before = [];
    private TopOrder _order = TopOrder.Live;
    private long _lookedMs;

    /// <inheritdoc/>
    public IReadOnlyList<int> Headings { get; } = [0];

    /// <inheritdoc/>
    public int LinesWithoutTerminal => int.MaxValue;

    /// <inheritdoc/>
    public IReadOnlyList<string> Draw(int width, int height)
    {
        var now = Environment.TickCount64;
        var rows = Look().ToList();
        var lines = TopListScreen.Draw(rows, _before, (now - _lookedMs) / 1000.0, _order, width, height);
        (_before, _lookedMs) = (rows, now);
        return lines;
    }

    /// <inheritdoc/>
    public void Take(char key) => _order = key switch
    {
        'l' => TopOrder.Live,
        'g' => TopOrder.Grown,
        'a' => TopOrder.Allocated,
        'p' => TopOrder.Peak,
        _ => _order,
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        // Nothing stays open between two looks.
    }

    private static IEnumerable<TopListRow> Look()
    {
        foreach (var (pid, trace) in RecordedProcesses.Find())
        {
            if (Look(pid, trace) is { } look)
            {
                yield return new TopListRow(pid, Path.GetFileName(look.Process.Executable) ?? "", look.Totals, trace);
            }
        }
    }

    private static TopLook? Look(int pid, string trace)
    {
        try
        {
            using var profile = Profile.Open(trace);
            return TopLook.Take(profile, pid, TopOrder.Live, 1);
        }
        catch (TraceException)
        {
            return null; // moved away, or not ours to read
        }
    }
}
