using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>pause</c>: allocations of a recorded process do not count until <c>resume</c>.</summary>
internal static class PauseVerb
{
    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process that is being recorded.",
            Required = true,
        };
        var verb = new Verb(
            "pause",
            "Stops recording what a process allocates, and what shares its recording (its forks); blocks from before are still followed to their end.",
            "nativeheap pause -p 4711")
        {
            pid,
        };
        verb.SetAction(result =>
        {
            var asked = result.GetValue(pid);
            Messages.Say(ControlClient.Pause(asked, pause: true)
                ? $"recording of process {asked} is paused; go on with: nativeheap resume -p {asked}"
                : $"recording of process {asked} was paused already");
            return ExitCodes.Success;
        });
        return verb;
    }
}
