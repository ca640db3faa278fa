using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Present;

namespace NativeHeap.Cli;

/// <summary><c>sample</c>: changes which allocations of a recorded process are recorded, while it runs.</summary>
internal static class SampleVerb
{
    private const string Exact = "exact";

    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process that is being recorded.",
            Required = true,
        };
        var rate = new Argument<string>("rate")
        {
            HelpName = $"BYTES|{Exact}",
            Description = "Record samples, one in so many bytes on average; or every call.",
        };
        var verb = new Verb(
            "sample",
            "From now on records samples of what a process allocates, or every call again; what shares its recording (its forks) too. Blocks from before are followed to their end, and each counts as it was recorded.",
            "nativeheap sample -p 4711 512KiB",
            "nativeheap sample -p 4711 exact")
        {
            pid, rate,
        };
        verb.SetAction(result => Run(result.GetValue(pid), Read(result.GetValue(rate)!)));
        return verb;
    }

    private static long Read(string rate) => rate == Exact ? 0
        : Quantities.TryParseSize(rate, out var bytes) && bytes > 0 ? SampleSetting.Bound(bytes, "BYTES")
        : throw new ToolException($"'{rate}' is neither '{Exact}' nor a size, such as 512KiB, 1MB or 4096", ExitCodes.Usage);

    private static int Run(int pid, long bytes)
    {
        var how = bytes == 0 ? "exactly" : $"by samples, one in {Words.Bytes(bytes)} on average";
        Messages.Say(ControlClient.Sample(pid, bytes)
            ? $"process {pid} is recorded {how} from now on"
            : $"process {pid} was recorded {how} already");
        return ExitCodes.Success;
    }
}
