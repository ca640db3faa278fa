using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>detach</c>: ends the recording of a process that was attached to.</summary>
internal static class DetachVerb
{
    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process that nativeheap attach records.",
            Required = true,
        };
        var verb = new Verb(
            "detach",
            "Ends the recording of a process that was attached to; returns when its trace is whole. The process goes on untouched.",
            "nativeheap detach -p 4711")
        {
            pid,
        };
        verb.SetAction(result =>
        {
            var asked = result.GetValue(pid);
            if (asked <= 0)
            {
                throw new ToolException("--pid must be more than 0", ExitCodes.Usage);
            }

            var trace = ControlClient.Detach(asked);
            Messages.Say($"process {asked} is not recorded any more; see nativeheap report {trace}");
            return ExitCodes.Success;
        });
        return verb;
    }
}
