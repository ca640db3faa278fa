using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>On command lines of verbs that record: when snapshots are taken that nobody asks for.</summary>
internal sealed class SnapshotSettings
{
    private readonly Option<long?> _interval = Quantities.DurationOption(
        "--snapshot-interval", "Take a snapshot each time so much time has passed.");

    private readonly Option<long?> _growth = Quantities.SizeOption(
        "--snapshot-growth", "Take a snapshot each time so many bytes more are live.");

    private readonly Option<int?> _peak = Quantities.PercentOption(
        "--snapshot-peak", 1, 1000, "Take a snapshot at each new peak: so much more is live than at any snapshot before, and more than 1 MiB.");

    private readonly Option<long?> _resident = Quantities.SizeOption(
        "--snapshot-rss", "Take a snapshot when so much of a process is resident.");

    private readonly Option<int?> _limit = Quantities.PercentOption(
        "--snapshot-limit", 1, 100, "Take a snapshot when so much of its control group's memory limit is used: before the kernel ends the process.");

    private readonly Option<string> _objects = new("--snapshot-objects")
    {
        HelpName = "yes|no",
        Description = "Count objects by type at snapshots by time or growth, of the largest process, which is stopped for that for some 0.1 s.",
        DefaultValueFactory = _ => "yes",
    };

    private readonly Option<int?> _signal;

    public SnapshotSettings()
    {
        _objects.AcceptOnlyFromAmong("yes", "no");
        _signal = new("--snapshot-signal")
        {
            HelpName = "SIGNAL",
            Description = "Take a snapshot when a process gets that signal (USR1, USR2, HUP, URG, IO, WINCH, PWR, RTMIN+N), unless it has a use of its own for it.",
            CustomParser = ParseSignal,
        };
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> Options => [_interval, _growth, _objects, _peak, _resident, _limit, _signal];

    /// <summary>What was given.</summary>
    /// <exception cref="ToolException">A value makes no sense.</exception>
    public SnapshotOptions Read(ParseResult result) => new()
    {
        IntervalNs = Quantities.Positive(result, _interval),
        GrowthBytes = Quantities.Positive(result, _growth),
        PeakPercent = result.GetValue(_peak),
        ResidentBytes = Quantities.Positive(result, _resident),
        LimitPercent = result.GetValue(_limit),
        Signal = result.GetValue(_signal) ?? 0,
        Counter = result.GetValue(_objects) == "yes" ? new ObjectCounter() : null,
    };

    private int? ParseSignal(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (SnapshotSignal.TryParse(text, out var signal))
        {
            return signal;
        }
        argument.AddError(string.Create(
            CultureInfo.InvariantCulture,
            $"{_signal.Name}: '{text}' is no signal that can be spared; take one of {SnapshotSignal.Choice}"));
        return null;
    }
}
