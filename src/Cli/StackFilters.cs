using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>Options that take some stacks or blocks out of all.</summary>
internal static class StackFilters
{
    private static readonly Option<int?> Thread = Quantities.NumberOption(
        "--thread", "TID", "Only what this thread allocated.");

    private static readonly Option<string?> Module = new("--module")
    {
        HelpName = "NAME",
        Description = "Only stacks that run through this module (its file name or path).",
    };

    private static readonly Option<long?> MinSize = Quantities.SizeOption(
        "--min-size", "Only blocks of at least this size, down to the power of two (with --by allocated or count).");

    private static readonly Option<long?> MaxSize = Quantities.SizeOption(
        "--max-size", "Only blocks of at most this size, up to the power of two.");

    private static readonly Option<long?> MinLifetime = Quantities.DurationOption(
        "--min-lifetime", "Only blocks that lived at least so long until they were freed, down to the power of two of microseconds.");

    private static readonly Option<long?> MaxLifetime = Quantities.DurationOption(
        "--max-lifetime", "Only blocks that were freed within so long, up to the power of two of microseconds.");

    /// <summary>Adds the options to a verb.</summary>
    public static void AddTo(Command verb)
    {
        foreach (var option in new Option[] { Thread, Module, MinSize, MaxSize, MinLifetime, MaxLifetime })
        {
            verb.Add(option);
        }
    }

    /// <summary>The question with what was asked for.</summary>
    /// <exception cref="ToolException">A range that holds nothing (exit code 2).</exception>
    public static StackQuestion Apply(ParseResult arguments, StackQuestion question)
    {
        const long Microsecond = 1000;
        return question with
        {
            Tid = arguments.GetValue(Thread),
            Module = arguments.GetValue(Module),
            Sizes = Range(MinSize.Name, arguments.GetValue(MinSize), MaxSize.Name, arguments.GetValue(MaxSize)),
            LifetimesUs = Range(
                MinLifetime.Name,
                arguments.GetValue(MinLifetime) / Microsecond,
                MaxLifetime.Name,
                arguments.GetValue(MaxLifetime) / Microsecond),
        };
    }

    private static BucketRange? Range(string leastName, long? least, string mostName, long? most)
    {
        if (least is null && most is null)
        {
            return null;
        }
        return least > most
            ? throw new ToolException($"{leastName} is more than {mostName}", ExitCodes.Usage)
            : new BucketRange(least, most);
    }
}
