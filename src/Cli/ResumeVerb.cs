using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>resume</c>: ends a <c>pause</c>.</summary>
internal static class ResumeVerb
{
    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process whose recording is paused.",
            Required = true,
        };
        var verb = new Verb(
            "resume",
            "Goes on recording after a pause.",
            "nativeheap resume -p 4711")
        {
            pid,
        };
        verb.SetAction(result =>
        {
            var asked = result.GetValue(pid);
            Messages.Say(ControlClient.Pause(asked, pause: false)
                ? $"process {asked} is recorded again"
                : $"recording of process {asked} was not paused");
            return ExitCodes.Success;
        });
        return verb;
    }
}
