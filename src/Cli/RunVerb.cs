using System.CommandLine;
using System.CommandLine.Parsing;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Present.Plots;

namespace NativeHeap.Cli;

/// <summary><c>run</c>: a command under the shim, one trace for it and its descendants.</summary>
internal static class RunVerb
{
    private static readonly Option<string?> Output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "The trace (default nativeheap.<name>.<pid>.nheap).",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace existing files." };

    private static readonly Option<string?> Plot = new("--plot")
    {
        HelpName = "FILE",
        Description = "Draw how the heap grew, .png or .svg.",
    };

    private static readonly Option<string> Follow = new("--follow-children")
    {
        HelpName = "yes|no",
        Description = "Whether processes that the command starts are recorded, too (default yes).",
        DefaultValueFactory = _ => "yes",
    };

    private static readonly Option<bool> WaitForChildren = new("--wait-children")
    {
        Description = "Record until the last of them has ended, not just the command.",
    };

    private static readonly Option<long?> Interval = Quantities.DurationOption(
        "--snapshot-interval", "Take a snapshot each time so much time has passed.");

    private static readonly Option<long?> Growth = Quantities.SizeOption(
        "--snapshot-growth", "Take a snapshot each time so many bytes more are live.");

    private static readonly Option<long?> Sample = Quantities.SizeOption(
        "--sample", "Record one allocation in so many bytes on average (not there yet).");

    private static readonly Argument<string[]> Command = new("COMMAND")
    {
        Description = "The command and its arguments, after --.",
        Arity = ArgumentArity.OneOrMore,
    };

    public static Verb Create()
    {
        Follow.AcceptOnlyFromAmong("yes", "no");
        var verb = new Verb(
            "run",
            "Runs a command and records where its native memory goes.",
            "nativeheap run -- python3 script.py",
            "nativeheap run -o server.nheap --plot heap.png -- ./server --port 8080")
        {
            Output, Force, Plot, Follow, WaitForChildren, Interval, Growth, Sample, Command,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result)
    {
        if (result.GetValue(Sample) is not null)
        {
            throw new ToolException("--sample is not there yet: leave it out to record every allocation", ExitCodes.Usage);
        }
        var force = result.GetValue(Force);
        return new RunCommand
        {
            Command = CommandOf(result),
            Output = result.GetValue(Output),
            Force = force,
            Picture = result.GetValue(Plot) is { } picture ? PictureFile.Plan(picture, force) : null,
            Options = new SessionOptions
            {
                FollowChildren = result.GetValue(Follow) == "yes",
                WaitForChildren = result.GetValue(WaitForChildren),
                SnapshotIntervalNs = Positive(result, Interval),
                SnapshotGrowthBytes = Positive(result, Growth),
            },
        }.Run();
    }

    // The supervisor takes the command from the end of its own arguments, byte for byte: it must be whatever follows
    // the first -- and nothing else.
    private static List<string> CommandOf(ParseResult result)
    {
        var command = result.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash).Skip(1)
            .Select(token => token.Value).ToList();
        if (command.Count == 0 || command.Count != result.GetValue(Command)!.Length)
        {
            throw new ToolException(
                "put -- before the command, as in: nativeheap run -- " + string.Join(' ', result.GetValue(Command)!),
                ExitCodes.Usage);
        }
        return command;
    }

    private static long? Positive(ParseResult result, Option<long?> option) => result.GetValue(option) switch
    {
        <= 0 => throw new ToolException($"{option.Name} must be more than 0", ExitCodes.Usage),
        var value => value,
    };
}
